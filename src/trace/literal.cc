#include "trace/literal.h"

#include <charconv>
#include <chrono>

#include "base/units.h"

namespace rehearse::trace {
namespace {

constexpr Number kSecond = 1'000'000'000;

template <class T>
std::optional<T> whole(std::string_view digits, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes `count` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count || text[0] == '-') return std::nullopt;
  const auto value = whole<int>(text.substr(0, count), 10);
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || !any_of.contains(text[0])) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes ".123456789" off the front: nanoseconds; 0 if there is no fraction.
std::optional<Number> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return 0;
  Number ns = 0;
  Number unit = kSecond;
  std::size_t digits = 0;
  for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1), ++digits) {
    unit /= 10;
    ns += unit * (text[0] - '0');
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  return ns;
}

std::optional<Number> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;

  int offset = 0;
  if (!take(text, "Zz")) {
    const bool west = text.starts_with('-');
    if (!take(text, "+-")) return std::nullopt;
    const auto hours = take_digits(text, 2);
    if (!hours || !take(text, ":")) return std::nullopt;
    const auto minutes = take_digits(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    offset = (*hours * 60 + *minutes) * (west ? -60 : 60);
  }
  if (!text.empty()) return std::nullopt;

  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  const Number days = std::chrono::sys_days(date).time_since_epoch().count();
  const Number seconds = days * 86400 + *hour * 3600 + *minute * 60 + *second - offset;
  return seconds * kSecond + *fraction;
}

}  // namespace

std::optional<Number> parse_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  const auto magnitude = whole<std::uint64_t>(text, base);
  if (!magnitude) return std::nullopt;
  if (negative && *magnitude > std::uint64_t{1} << 63U) return std::nullopt;
  return negative ? -static_cast<Number>(*magnitude) : static_cast<Number>(*magnitude);
}

std::optional<Number> parse_nanoseconds(std::string_view text) {
  if (const auto number = parse_number(text)) return number;
  if (text.empty() || is_digit(text.back()) || text.back() == '.') return std::nullopt;
  const auto duration = parse_duration(text);
  if (!duration) return std::nullopt;
  return *duration;
}

std::optional<Time> parse_time(std::string_view text) {
  if (const auto absolute = parse_rfc3339(text)) return Time{*absolute, false};
  if (text.empty() || !is_digit(text[0]) || text.back() == '.') return std::nullopt;
  if (!is_digit(text.back())) {
    const auto duration = parse_duration(text);
    if (!duration) return std::nullopt;
    return Time{*duration, true};
  }
  const std::size_t point = text.find('.');
  const auto seconds = whole<std::uint64_t>(text.substr(0, point), 10);
  std::string_view rest = point == std::string_view::npos ? std::string_view() : text.substr(point);
  const auto fraction = take_fraction(rest);
  if (!seconds || !fraction || !rest.empty()) return std::nullopt;
  return Time{*seconds * kSecond + *fraction, true};
}

std::optional<std::string> parse_hex(std::string_view text) {
  if (text.empty() || text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (; !text.empty(); text.remove_prefix(2)) {
    const auto byte = whole<std::uint8_t>(text.substr(0, 2), 16);
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
  }
  return bytes;
}

}  // namespace rehearse::trace
