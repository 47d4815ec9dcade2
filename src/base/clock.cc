#include "base/clock.h"

#include <cstdio>

namespace rehearse {
namespace {
constexpr std::int64_t kSecond = 1'000'000'000;

/// Nanoseconds since the second began, before the epoch too.
std::int64_t fraction(std::int64_t epoch_ns) {
  return (epoch_ns % kSecond + kSecond) % kSecond;
}

struct tm utc(std::int64_t epoch_ns) {
  const time_t seconds = static_cast<time_t>(epoch_ns / kSecond - (epoch_ns % kSecond < 0 ? 1 : 0));
  struct tm parts = {};
  ::gmtime_r(&seconds, &parts);
  return parts;
}
}  // namespace

std::string rfc3339(std::int64_t epoch_ns) {
  const struct tm t = utc(epoch_ns);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
                t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, static_cast<int>(fraction(epoch_ns) / 1'000'000));
  return text;
}

std::string compact_time(std::int64_t epoch_ns) {
  const struct tm t = utc(epoch_ns);
  char text[80];
  std::snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                t.tm_hour, t.tm_min, t.tm_sec);
  return text;
}

}  // namespace rehearse
