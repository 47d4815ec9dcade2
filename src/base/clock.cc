#include "base/clock.h"

#include <unistd.h>

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

std::int64_t stamp_after(std::int64_t moment_ns) {
  const std::int64_t patience = monotonic_ns() + 50'000'000;
  while (earliest_stamp_ns() <= moment_ns && monotonic_ns() < patience) ::usleep(500);
  return earliest_stamp_ns();
}

std::string rfc3339(std::int64_t epoch_ns) {
  const struct tm t = utc(epoch_ns);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
                t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, static_cast<int>(fraction(epoch_ns) / 1'000'000));
  return text;
}

Result<std::int64_t> parse_rfc3339(std::string_view text) {
  const std::string word(text.substr(0, 64));
  struct tm t = {};
  const char* at = ::strptime(word.c_str(), "%Y-%m-%dT%H:%M:%S", &t);
  std::int64_t below = 0;
  if (at != nullptr && *at == '.') {
    ++at;
    for (std::int64_t unit = kSecond / 10; *at >= '0' && *at <= '9'; ++at, unit /= 10)
      below += (*at - '0') * unit;
  }
  constexpr std::int64_t kLatest = INT64_MAX / kSecond - 1;
  const time_t seconds = at == nullptr ? -1 : ::timegm(&t);
  if (at == nullptr || std::string_view(at) != "Z" || text.size() > 64 || seconds < 0 || seconds > kLatest)
    return fail("\"" + word + "\" is no point in time", ExitCode::kUsage, "write 2026-11-29T18:00:00Z");
  return std::int64_t{seconds} * kSecond + below;
}

std::string compact_time(std::int64_t epoch_ns) {
  const struct tm t = utc(epoch_ns);
  char text[80];
  std::snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                t.tm_hour, t.tm_min, t.tm_sec);
  return text;
}

}  // namespace rehearse
