// Times: spans, moments, timers.
#include <ctime>

#include "syscalls/struct_bytes.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

/// Seconds, and a part of one: what it is called and how many make a second.
struct Unit {
  std::string_view name;
  std::uint64_t second;
  int digits;
};
constexpr Unit kNano = {"tv_nsec", 1'000'000'000, 9};
constexpr Unit kMicro = {"tv_usec", 1'000'000, 6};

void append_time(std::string& out, std::string_view bytes, const Unit& unit) {
  append_format(out, "{{tv_sec={}, {}={}}}", load<std::int64_t>(bytes, 0), unit.name,
                load<std::uint64_t>(bytes, 8));
}

/// The moment in words, in UTC; nothing for 1970 and for what is no time.
void append_moment(std::string& out, std::int64_t seconds, std::uint64_t part, const Unit& unit) {
  if ((seconds == 0 && part == 0) || part >= unit.second) return;
  struct tm broken = {};
  const time_t time = seconds;
  char text[64];
  if (::gmtime_r(&time, &broken) == nullptr || std::strftime(text, sizeof text, "%FT%T", &broken) == 0)
    return;
  append_format(out, " /* {}", text);
  if (part != 0) append_format(out, ".{:0{}}", part, unit.digits);
  out += "+0000 */";
}

void append_timer(std::string& out, std::string_view bytes, const Unit& unit) {
  if (bytes.size() < 32) return append_quoted(out, bytes);
  out += "{it_interval=";
  append_time(out, bytes, unit);
  out += ", it_value=";
  append_time(out, bytes.substr(16), unit);
  out += '}';
}

void append_file_time(std::string& out, std::string_view bytes, const Unit& unit) {
  constexpr std::uint64_t kNow = (std::uint64_t{1} << 30U) - 1;
  constexpr std::uint64_t kOmit = (std::uint64_t{1} << 30U) - 2;
  const auto part = load<std::uint64_t>(bytes, 8);
  if (&unit == &kNano && part == kNow) {
    out += "UTIME_NOW";
  } else if (&unit == &kNano && part == kOmit) {
    out += "UTIME_OMIT";
  } else {
    append_time(out, bytes, unit);
    append_moment(out, load<std::int64_t>(bytes, 0), part, unit);
  }
}

void append_pair(std::string& out, std::string_view bytes, const Unit& unit) {
  append_list(out, bytes, 16, [&](std::string_view one) { append_file_time(out, one, unit); });
}

}  // namespace

void append_timespec(std::string& out, const StructView& from) {
  if (from.bytes.size() < 16) return append_quoted(out, from.bytes);
  append_time(out, from.bytes, kNano);
}

void append_timeval(std::string& out, const StructView& from) {
  if (from.bytes.size() < 16) return append_quoted(out, from.bytes);
  append_time(out, from.bytes, kMicro);
}

void append_file_times(std::string& out, const StructView& from) {
  append_pair(out, from.bytes, kNano);
}

void append_file_timevals(std::string& out, const StructView& from) {
  append_pair(out, from.bytes, kMicro);
}

void append_utimbuf(std::string& out, const StructView& from) {
  if (from.bytes.size() < 16) return append_quoted(out, from.bytes);
  const auto one = [&](std::string_view name, std::size_t at) {
    const auto seconds = load<std::int64_t>(from.bytes, at);
    append_format(out, "{}={}", name, seconds);
    append_moment(out, seconds, 0, kNano);
  };
  out += '{';
  one("actime", 0);
  out += ", ";
  one("modtime", 8);
  out += '}';
}

void append_itimerspec(std::string& out, const StructView& from) {
  append_timer(out, from.bytes, kNano);
}

void append_itimerval(std::string& out, const StructView& from) {
  append_timer(out, from.bytes, kMicro);
}

}  // namespace rehearse::syscalls
