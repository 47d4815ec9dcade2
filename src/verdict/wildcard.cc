#include "verdict/wildcard.h"

#include <cstddef>

namespace rehearse::verdict {
namespace {

/// Size of the set at the front of the pattern, 0 if it is not closed: then the bracket stands for itself.
std::size_t match_set(std::string_view pattern, char c, bool& matched) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  const auto code = static_cast<unsigned char>(c);
  bool found = false;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) {
      matched = found != negated;
      return at + 1;
    }
    const auto low = static_cast<unsigned char>(pattern[at++]);
    auto high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = static_cast<unsigned char>(pattern[at + 1]);
      at += 2;
    }
    found = found || (code >= low && code <= high);
  }
  return 0;
}

/// Size of the element at the front (not a star) if it matches the byte, else 0.
std::size_t match_one(std::string_view pattern, char c) {
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    bool matched = false;
    const std::size_t size = match_set(pattern, c, matched);
    if (size > 0) return matched ? size : 0;
  }
  if (pattern[0] == '\\' && pattern.size() > 1) return pattern[1] == c ? 2 : 0;
  return pattern[0] == c ? 1 : 0;
}

}  // namespace

bool wildcard_matches(std::string_view pattern, std::string_view text) {
  constexpr std::size_t kNever = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNever;  // where the pattern goes on after the last star, and the text it was tried on
  std::size_t tried = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      tried = t;
      continue;
    }
    const std::size_t size = p < pattern.size() ? match_one(pattern.substr(p), text[t]) : 0;
    if (size > 0) {
      p += size;
      ++t;
      continue;
    }
    if (star == kNever) return false;
    p = star;
    t = ++tried;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool has_wildcard(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") != std::string_view::npos;
}

}  // namespace rehearse::verdict
