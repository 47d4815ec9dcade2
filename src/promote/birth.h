// When an object was made: by this one that has got the number of another, which is gone, is told from it.
#pragma once

#include <cstdint>
#include <string>

namespace rehearse::promote {

/// `name` in `dir` (itself, if empty; not followed) was made at `since_ns` (CLOCK_REALTIME) or later. False
/// where its filesystem does not tell: tmpfs before Linux 6.6. Source: statx(2), STATX_BTIME.
bool is_born_since(int dir, const std::string& name, std::int64_t since_ns);

}  // namespace rehearse::promote
