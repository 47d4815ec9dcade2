// The values written in a filter, by the type they are compared as. nullopt: the text is not such a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rehearse::trace {

/// Holds every int64 and every uint64, so that comparing them needs no case distinction.
__extension__ using Number = __int128;

/// "-12", "0x1f", "017" (octal); between -2^63 and 2^64-1.
std::optional<Number> parse_number(std::string_view text);

/// "1500" nanoseconds, or with unit: "1.5s", "10ms" (base/units.h).
std::optional<Number> parse_nanoseconds(std::string_view text);

struct Time {
  Number ns = 0;
  bool relative = false;  ///< ns after the trace began, else after 1970
};
/// "2026-11-24T10:00:00.5+01:00" (RFC 3339), or after the trace began: "1.5" seconds, "250ms".
std::optional<Time> parse_time(std::string_view text);

/// Bytes in hexadecimal.
std::optional<std::string> parse_hex(std::string_view text);

}  // namespace rehearse::trace
