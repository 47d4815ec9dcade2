#include "trace/glob.h"

#include <cstdint>

namespace rehearse::trace {
namespace {

struct Character {
  std::uint32_t code;  ///< bytes that are not UTF-8 count from kNoCharacter
  std::size_t size;
};
constexpr std::uint32_t kNoCharacter = 0x80000000;

/// The character at the front of a text that is not empty.
Character front(std::string_view text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const Character broken{kNoCharacter + lead, 1};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return broken;
  std::uint32_t code = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return broken;
    code = code << 6U | (byte(i) & 0x3fU);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return broken;
  return {code, size};
}

constexpr bool upper(std::uint32_t c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool lower(std::uint32_t c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool digit(std::uint32_t c) {
  return c >= '0' && c <= '9';
}
constexpr bool graph(std::uint32_t c) {
  return c > 0x20 && c < 0x7f;
}
constexpr std::uint32_t folded(std::uint32_t c) {
  return upper(c) ? c + 32 : c;
}

bool in_class(std::string_view name, std::uint32_t c) {
  if (name == "alpha") return upper(c) || lower(c);
  if (name == "digit") return digit(c);
  if (name == "alnum") return upper(c) || lower(c) || digit(c);
  if (name == "upper") return upper(c);
  if (name == "lower") return lower(c);
  if (name == "space") return c == ' ' || (c >= 9 && c <= 13);
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "punct") return graph(c) && !upper(c) && !lower(c) && !digit(c);
  if (name == "print") return graph(c) || c == ' ';
  if (name == "graph") return graph(c);
  if (name == "cntrl") return c < 0x20 || c == 0x7f;
  if (name == "xdigit") return digit(c) || (folded(c) >= 'a' && folded(c) <= 'f');
  return false;
}

/// Reads the bracket expression at the front of `pattern`. Its size, 0 if it is not closed.
std::size_t match_bracket(std::string_view pattern, std::uint32_t c, bool fold, bool& matched) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  const auto take = [&] {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    const Character character = front(pattern.substr(at));
    at += character.size;
    return character.code;
  };
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) {
      matched = found != negated;
      return at + 1;
    }
    if (pattern.substr(at).starts_with("[:")) {
      const std::size_t end = pattern.find(":]", at + 2);
      if (end != std::string_view::npos) {
        const std::string_view name = pattern.substr(at + 2, end - at - 2);
        found = found || in_class(name, c) ||
                (fold && (name == "upper" || name == "lower") && in_class("alpha", c));
        at = end + 2;
        continue;
      }
    }
    const std::uint32_t low = take();
    std::uint32_t high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = take();
    }
    const auto within = [&](std::uint32_t code) { return code >= low && code <= high; };
    found = found || within(c) || (fold && (within(folded(c)) || (lower(c) && within(c - 32))));
  }
  return 0;
}

/// Matches one element other than `*` with the character; the element's size, 0 if it does not match.
std::size_t match_one(std::string_view pattern, const Character& character, bool fold) {
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    bool matched = false;
    const std::size_t size = match_bracket(pattern, character.code, fold, matched);
    if (size > 0) return matched ? size : 0;
  }
  const std::size_t skip = pattern[0] == '\\' && pattern.size() > 1 ? 1 : 0;
  const Character wanted = front(pattern.substr(skip));
  const bool equal = wanted.code == character.code || (fold && folded(wanted.code) == folded(character.code));
  return equal ? skip + wanted.size : 0;
}

/// An ASCII character that stands for itself: the commonest element, worth a short way.
bool is_plain(char c) {
  return static_cast<unsigned char>(c) < 0x80 && c != '*' && c != '?' && c != '[' && c != '\\';
}

/// Where `c` is next at or after `from`; npos if it is not.
std::size_t next_byte(std::string_view text, std::size_t from, char c) {
  return from < text.size() ? text.find(c, from) : std::string_view::npos;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text, bool fold) {
  constexpr std::size_t kNever = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNever;  // where the pattern goes on after the last `*`, and the text it was tried on
  std::size_t tried = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      tried = t;
      continue;
    }
    if (p < pattern.size() && pattern[p] == text[t] && is_plain(pattern[p])) {
      ++p;
      ++t;
      continue;
    }
    const Character character = front(text.substr(t));
    const std::size_t size = p < pattern.size() ? match_one(pattern.substr(p), character, fold) : 0;
    if (size > 0) {
      p += size;
      t += character.size;
      continue;
    }
    if (star == kNever) return false;
    p = star;
    tried += front(text.substr(tried)).size;
    if (!fold && star < pattern.size() && is_plain(pattern[star]))
      tried = next_byte(text, tried, pattern[star]);
    if (tried == kNever) return false;
    t = tried;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") != std::string_view::npos;
}

}  // namespace rehearse::trace
