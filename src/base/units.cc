#include "base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace rehearse {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kBytes[] = {{"", 1},
                           {"b", 1},
                           {"k", 1024.0},
                           {"kib", 1024.0},
                           {"kb", 1024.0},
                           {"m", 1048576.0},
                           {"mib", 1048576.0},
                           {"mb", 1048576.0},
                           {"g", 1073741824.0},
                           {"gib", 1073741824.0},
                           {"gb", 1073741824.0},
                           {"t", 1099511627776.0},
                           {"tib", 1099511627776.0},
                           {"tb", 1099511627776.0},
                           {"p", 1125899906842624.0},
                           {"pib", 1125899906842624.0},
                           {"pb", 1125899906842624.0},
                           {"e", 1152921504606846976.0},
                           {"eib", 1152921504606846976.0},
                           {"eb", 1152921504606846976.0}};
constexpr Unit kTimes[] = {{"", 1e9},   {"ns", 1},     {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
                           {"m", 6e10}, {"min", 6e10}, {"h", 3.6e12}, {"d", 8.64e13}};

/// "1.5GiB" -> 1.5 * factor; NaN if it is neither a number nor a known unit.
template <std::size_t N>
double parse_with_unit(std::string_view text, const Unit (&units)[N]) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || std::signbit(value)) return std::nan("");
  std::string unit(end, text.data() + text.size());
  while (!unit.empty() && unit.front() == ' ') unit.erase(0, 1);
  for (char& c : unit) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  for (const Unit& known : units) {
    if (unit == known.name) return value * known.factor;
  }
  return std::nan("");
}

constexpr double kMax = 9.2e18;

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const double value = parse_with_unit(text, kBytes);
  if (!(value <= kMax)) {
    return fail("\"" + std::string(text) + "\" is not a size", ExitCode::kUsage,
                "write a number with B, K, M, G or T, such as 512M");
  }
  return static_cast<std::uint64_t>(value);
}

Result<std::int64_t> parse_duration(std::string_view text) {
  const double value = parse_with_unit(text, kTimes);
  if (!(value <= kMax)) {
    return fail("\"" + std::string(text) + "\" is not a duration", ExitCode::kUsage,
                "write a number with ms, s, m, h or d, such as 30s");
  }
  return static_cast<std::int64_t>(value);
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < std::size(kNames)) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  return value < 9.95 ? fmt::format("{:.1f} {}", value, kNames[unit])
                      : fmt::format("{:.0f} {}", value, kNames[unit]);
}

std::string format_duration(std::int64_t ns) {
  const double value = static_cast<double>(ns);
  // Each limit is where the number would be rounded up to the next unit's one.
  if (value < 999.5e3) return fmt::format("{:.0f} us", value / 1e3);
  if (value < 999.95e6) return fmt::format("{:.1f} ms", value / 1e6);
  if (value < 59.95e9) return fmt::format("{:.1f} s", value / 1e9);
  if (value < 6e10) return "1 m 00 s";
  const std::int64_t seconds = ns / 1'000'000'000;
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} m", seconds / 3600, seconds / 60 % 60);
}

}  // namespace rehearse
