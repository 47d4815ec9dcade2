// Time. Durations are in nanoseconds of CLOCK_MONOTONIC; points for people are RFC 3339 in UTC.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse {

inline std::int64_t to_ns(const struct timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

inline std::int64_t clock_ns(clockid_t clock) {
  struct timespec t = {};
  ::clock_gettime(clock, &t);
  return to_ns(t);
}
inline std::int64_t monotonic_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}
inline std::int64_t realtime_ns() {
  return clock_ns(CLOCK_REALTIME);
}
/// No file that is changed from now on gets an earlier time: filesystems stamp with the last timer tick's
/// (current_time(), fs/inode.c; since 6.13 at least that).
inline std::int64_t earliest_stamp_ns() {
  return clock_ns(CLOCK_REALTIME_COARSE);
}

/// The earliest stamp of what is changed from now on, once that is later than any of `moment_ns`
/// (CLOCK_REALTIME) or before: waits for one tick at most. If the clock is set back meanwhile, that cannot be
/// had.
std::int64_t stamp_after(std::int64_t moment_ns);

/// In whose steps filesystems stamp (current_time(), fs/inode.c).
inline std::int64_t clock_tick_ns() {
  struct timespec tick = {};
  ::clock_getres(CLOCK_REALTIME_COARSE, &tick);
  return to_ns(tick);
}

/// "2026-11-24T02:05:15.123Z" from nanoseconds since the epoch.
std::string rfc3339(std::int64_t epoch_ns);
/// Its inverse, in UTC: "2026-11-24T02:05:15Z", with or without a fraction of the second. kUsage on anything
/// else.
Result<std::int64_t> parse_rfc3339(std::string_view text);
/// "20261124-020515", the sortable head of a run id.
std::string compact_time(std::int64_t epoch_ns);

}  // namespace rehearse
