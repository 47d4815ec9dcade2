#include "base/escape.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace rehearse {
namespace {

struct Decoded {
  std::uint32_t code = 0;
  std::size_t size = 0;  ///< 0: not a well-formed sequence
};

/// One code point at `at` (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
Decoded decode(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[at + i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (size == 0 || first > 0xf4 || at + size > bytes.size()) return {};
  std::uint32_t code = first & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6U | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLowest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size};
}

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

bool is_deceptive(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0xad || code == 0x34f ||
         (code >= 0x600 && code <= 0x605) || code == 0x61c || code == 0x6dd || code == 0x70f ||
         (code >= 0x890 && code <= 0x891) || code == 0x8e2 || (code >= 0x115f && code <= 0x1160) ||
         (code >= 0x17b4 && code <= 0x17b5) || (code >= 0x180b && code <= 0x180f) ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0x3164 || (code >= 0xe000 && code <= 0xf8ff) ||
         (code >= 0xfe00 && code <= 0xfe0f) || code == 0xfeff || code == 0xffa0 ||
         (code >= 0xfff0 && code <= 0xfffb) || code == 0x110bd || code == 0x110cd ||
         (code >= 0x13430 && code <= 0x1343f) || (code >= 0x1bca0 && code <= 0x1bca3) ||
         (code >= 0x1d173 && code <= 0x1d17a) || (code >= 0xe0000 && code <= 0xe0fff) || code >= 0xf0000;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Decoded one = decode(bytes, at);
    if (one.size == 0) return false;
    at += one.size;
  }
  return true;
}

std::string escape_text(std::string_view bytes, std::size_t limit) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    if (limit > 0 && text.size() >= limit) {
      text += fmt::format("…(+{} bytes)", bytes.size() - at);
      break;
    }
    const Decoded one = decode(bytes, at);
    if (one.size == 0) {
      text += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(bytes[at]));
      ++at;
      continue;
    }
    if (one.code == '\\') {
      text += "\\\\";
    } else if (is_deceptive(one.code)) {
      text += fmt::format("\\u{{{:04X}}}", one.code);
    } else {
      text.append(bytes.substr(at, one.size));
    }
    at += one.size;
  }
  return text;
}

std::string shell_quote(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  bool plain = true;
  for (std::size_t at = 0; at < word.size() && plain;) {
    const Decoded one = decode(word, at);
    plain = one.size != 0 && !is_deceptive(one.code);
    at += one.size;
  }
  std::string quoted;
  if (plain) {
    quoted = "'";
    for (const char c : word) {
      if (c == '\'') {
        quoted += "'\\''";
      } else {
        quoted += c;
      }
    }
    return quoted + '\'';
  }
  // ANSI-C quoting: every byte that cannot be shown is named.
  quoted = "$'";
  for (std::size_t at = 0; at < word.size();) {
    const Decoded one = decode(word, at);
    if (one.size == 0 || is_deceptive(one.code)) {
      const std::size_t size = one.size == 0 ? 1 : one.size;
      for (std::size_t i = 0; i < size; ++i)
        quoted += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(word[at + i]));
      at += size;
      continue;
    }
    if (one.code == '\'' || one.code == '\\') quoted += '\\';
    quoted.append(word.substr(at, one.size));
    at += one.size;
  }
  return quoted + '\'';
}

std::string to_utf8_lossy(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Decoded one = decode(bytes, at);
    if (one.size == 0) {
      text += "\xef\xbf\xbd";
      ++at;
    } else {
      text.append(bytes.substr(at, one.size));
      at += one.size;
    }
  }
  return text;
}

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (at + i < bytes.size() ? static_cast<std::uint8_t>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i)
      text += at + i <= bytes.size() ? kAlphabet[group >> (18 - 6 * i) & 63U] : '=';
  }
  return text;
}

std::string from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return {};
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char c = text[at + i];
      const auto value = kAlphabet.find(c);
      const bool last = at + 4 == text.size();
      if (c == '=' && last && i >= 2) {
        ++padding;
      } else if (value == std::string_view::npos || padding > 0) {
        return {};
      }
      group = group << 6U | (c == '=' ? 0U : static_cast<std::uint32_t>(value));
    }
    if ((group & ((1U << 8 * padding) - 1)) != 0) return {};  // bits that no byte holds: RFC 4648, 3.5
    for (std::size_t i = 0; i < 3 - padding; ++i) bytes += static_cast<char>(group >> (16 - 8 * i) & 255U);
  }
  return bytes;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    text += kDigits[static_cast<std::uint8_t>(c) >> 4U];
    text += kDigits[static_cast<std::uint8_t>(c) & 15U];
  }
  return text;
}

std::string unescape_mountinfo(std::string_view field) {
  std::string bytes;
  bytes.reserve(field.size());
  const auto octal = [&](std::size_t at) {
    return at < field.size() && field[at] >= '0' && field[at] <= '7';
  };
  for (std::size_t at = 0; at < field.size(); ++at) {
    if (field[at] == '\\' && octal(at + 1) && octal(at + 2) && octal(at + 3)) {
      bytes +=
          static_cast<char>((field[at + 1] - '0') * 64 + (field[at + 2] - '0') * 8 + (field[at + 3] - '0'));
      at += 3;
    } else {
      bytes += field[at];
    }
  }
  return bytes;
}

}  // namespace rehearse
