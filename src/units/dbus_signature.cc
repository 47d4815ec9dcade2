#include "units/dbus_signature.h"

#include <algorithm>

namespace rehearse::units {
namespace {

constexpr std::string_view kBasic = "ybnqiuxtdsog";
constexpr std::size_t kMaxName = 255;

std::size_t type_length(std::string_view signature, std::size_t depth);

/// "{kv}" as the element of an array, 0 if it is none.
std::size_t entry_length(std::string_view signature, std::size_t depth) {
  if (signature.size() < 4 || depth >= kMaxNesting) return 0;
  if (kBasic.find(signature[1]) == std::string_view::npos) return 0;
  const std::size_t value = type_length(signature.substr(2), depth + 1);
  if (value == 0 || 2 + value >= signature.size() || signature[2 + value] != '}') return 0;
  return value + 3;
}

std::size_t type_length(std::string_view signature, std::size_t depth) {
  if (signature.empty() || depth >= kMaxNesting) return 0;
  const char code = signature[0];
  if (kBasic.find(code) != std::string_view::npos || code == 'v') return 1;
  if (code == 'a') {
    const std::string_view element = signature.substr(1);
    const bool entry = !element.empty() && element[0] == '{';
    const std::size_t length = entry ? entry_length(element, depth + 1) : type_length(element, depth + 1);
    return length == 0 ? 0 : length + 1;
  }
  if (code != '(') return 0;
  std::size_t at = 1;
  while (at < signature.size() && signature[at] != ')') {
    const std::size_t length = type_length(signature.substr(at), depth + 1);
    if (length == 0) return 0;
    at += length;
  }
  return at > 1 && at < signature.size() ? at + 1 : 0;
}

bool is_word_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Two or more elements between dots.
bool is_dotted(std::string_view text, bool allow_dash, bool allow_digit_first) {
  if (text.size() > kMaxName) return false;
  std::size_t elements = 0;
  for (std::size_t begin = 0; begin <= text.size(); ++elements) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view element = text.substr(begin, end - begin);
    if (element.empty() || (is_digit(element[0]) && !allow_digit_first)) return false;
    if (!std::all_of(element.begin(), element.end(),
                     [&](char c) { return is_word_character(c) || (allow_dash && c == '-'); })) {
      return false;
    }
    begin = end + 1;
  }
  return elements >= 2;
}

}  // namespace

std::size_t complete_type(std::string_view signature) {
  return type_length(signature, 0);
}

bool is_signature(std::string_view text) {
  if (text.size() > kMaxName) return false;
  while (!text.empty()) {
    const std::size_t length = complete_type(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::size_t type_alignment(char code) {
  switch (code) {
    case 'n':
    case 'q':
      return 2;
    case 'b':
    case 'i':
    case 'u':
    case 's':
    case 'o':
    case 'a':
      return 4;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
      return 8;
    default:
      return 1;  // y, g, v
  }
}

bool is_object_path(std::string_view text) {
  if (text == "/") return true;
  if (text.empty() || text[0] != '/') return false;
  char previous = 0;
  for (const char c : text) {
    if (c == '/' ? previous == '/' : !is_word_character(c)) return false;
    previous = c;
  }
  return previous != '/';
}

bool is_member_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && !is_digit(text[0]) &&
         std::all_of(text.begin(), text.end(), is_word_character);
}

bool is_interface_name(std::string_view text) {
  return is_dotted(text, false, false);
}

bool is_bus_name(std::string_view text) {
  if (!text.empty() && text[0] == ':') return is_dotted(text.substr(1), true, true);
  return is_dotted(text, true, false);
}

}  // namespace rehearse::units
