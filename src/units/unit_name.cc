#include "units/unit_name.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace rehearse::units {
namespace {

constexpr std::array<std::string_view, 11> kTypes = {
    "service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"};
constexpr std::size_t kMaxName = 255;
constexpr std::string_view kUnits = "/org/freedesktop/systemd1/unit/";

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string_view without_type(std::string_view name) {
  return name.substr(0, name.rfind('.'));
}

/// Whether `c` is in the set that `pattern` begins with behind its '['; `size` becomes the set's length. A
/// set without end is a plain '['.
bool in_set(std::string_view pattern, char c, std::size_t& size) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (const std::size_t first = at; at < pattern.size() && (pattern[at] != ']' || at == first); ++at) {
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      found = found || (pattern[at] <= c && c <= pattern[at + 2]);
      at += 2;
    } else {
      found = found || pattern[at] == c;
    }
  }
  if (at >= pattern.size()) {
    size = 1;
    return c == '[';
  }
  size = at + 1;
  return found != negated;
}

}  // namespace

bool is_unit_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (name.size() > kMaxName || dot == std::string_view::npos || dot == 0 || name[0] == '@') return false;
  if (std::find(kTypes.begin(), kTypes.end(), name.substr(dot + 1)) == kTypes.end()) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view(":-_.\\@").find(c) != std::string_view::npos;
  });
}

std::string_view unit_type(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

std::string type_interface(std::string_view name) {
  std::string type(unit_type(name));
  if (!type.empty()) type[0] = static_cast<char>(type[0] - 'a' + 'A');
  return "org.freedesktop.systemd1." + type;
}

bool is_template(std::string_view name) {
  const std::string_view stem = without_type(name);
  return stem.find('@') == stem.size() - 1;
}

std::string template_of(std::string_view name) {
  const std::size_t at = without_type(name).find('@');
  if (at == std::string_view::npos || is_template(name)) return {};
  return fmt::format("{}@.{}", name.substr(0, at), unit_type(name));
}

std::string_view instance_of(std::string_view name) {
  const std::string_view stem = without_type(name);
  const std::size_t at = stem.find('@');
  return at == std::string_view::npos ? std::string_view() : stem.substr(at + 1);
}

std::string_view prefix_of(std::string_view name) {
  const std::string_view stem = without_type(name);
  return stem.substr(0, stem.find('@'));
}

std::string unit_path(std::string_view name) {
  std::string path(kUnits);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (is_letter(c) || (is_digit(c) && i > 0)) {
      path += c;
    } else {
      path += fmt::format("_{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (name.empty()) path += '_';
  return path;
}

std::optional<std::string> unit_of_path(std::string_view path) {
  if (!path.starts_with(kUnits)) return std::nullopt;
  path.remove_prefix(kUnits.size());
  std::string name;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '_') {
      name += path[i];
      continue;
    }
    const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
    const int low = i + 2 < path.size() ? hex_value(path[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return is_unit_name(name) ? std::optional(std::move(name)) : std::nullopt;
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // On a mismatch the last * takes one more character: earlier ones never have to.
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t size = 1;
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < pattern.size() &&
               (pattern[at] == '?' ||
                (pattern[at] == '[' ? in_set(pattern.substr(at), text[i], size) : pattern[at] == text[i]))) {
      at += size;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace rehearse::units
