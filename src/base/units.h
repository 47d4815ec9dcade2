// Sizes and durations as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse {

/// "512", "64K", "1.5GiB", "2G" (binary multiples) -> bytes. kUsage on anything else.
Result<std::uint64_t> parse_bytes(std::string_view text);
/// "90", "1.5s", "250ms", "5m", "1h", "2d" -> nanoseconds. kUsage on anything else.
Result<std::int64_t> parse_duration(std::string_view text);
/// "0 B", "14 KiB", "1.2 GiB".
std::string format_bytes(std::uint64_t bytes);
/// "3.2 ms", "1.8 s", "2 m 05 s".
std::string format_duration(std::int64_t ns);

}  // namespace rehearse
