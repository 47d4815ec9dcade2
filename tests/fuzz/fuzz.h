// What the fuzz targets share: a property check that names itself, input cut into values, and an idea of
// harmless text that owes nothing to the code under test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/fd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

#define FUZZ_REQUIRE(condition)                                                           \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace rehearse::fuzz {

/// Takes values off the front of the input; zeros and empty strings once it is used up.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  bool flag() { return (byte() & 1U) != 0; }
  std::uint32_t below(std::uint32_t limit) { return byte() % limit; }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned n = byte() % 9U; n > 0; --n) value = value << 8U | byte();
    return value;
  }
  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }
  std::string text() { return std::string(view()); }
  std::string_view view() { return take(byte()); }
  std::string_view take(std::size_t size) {
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(value.size());
    return value;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Length of the well-formed sequence (RFC 3629, table 3-7 of the Unicode Standard) at the front, 0 if none.
inline std::size_t sequence(std::string_view text, std::uint32_t& code) {
  const auto at = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto in = [&](std::size_t i, unsigned low, unsigned high) { return at(i) >= low && at(i) <= high; };
  const unsigned lead = at(0);
  if (text.empty()) return 0;
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  if (lead >= 0xc2 && lead <= 0xdf && in(1, 0x80, 0xbf)) {
    code = (lead - 0xc0) * 64 + at(1) - 0x80;
    return 2;
  }
  const unsigned low3 = lead == 0xe0 ? 0xa0 : 0x80;
  const unsigned high3 = lead == 0xed ? 0x9f : 0xbf;
  if (lead >= 0xe0 && lead <= 0xef && in(1, low3, high3) && in(2, 0x80, 0xbf)) {
    code = (lead - 0xe0) * 4096 + (at(1) - 0x80) * 64 + at(2) - 0x80;
    return 3;
  }
  const unsigned low4 = lead == 0xf0 ? 0x90 : 0x80;
  const unsigned high4 = lead == 0xf4 ? 0x8f : 0xbf;
  if (lead >= 0xf0 && lead <= 0xf4 && in(1, low4, high4) && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf)) {
    code = (lead - 0xf0) * 262144 + (at(1) - 0x80) * 4096 + (at(2) - 0x80) * 64 + at(3) - 0x80;
    return 4;
  }
  return 0;
}

/// Categories Cc, Cf, Co, Zl and Zp of Unicode 14, printed by Python's unicodedata.
inline bool is_unsafe(std::uint32_t code) {
  if (code >= 0x20 && code < 0x7f) return false;
  static constexpr std::uint32_t kRanges[][2] = {
      {0x0, 0x1f},         {0x7f, 0x9f},       {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
      {0x6dd, 0x6dd},      {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},
      {0x200b, 0x200f},    {0x2028, 0x202e},   {0x2060, 0x2064},   {0x2066, 0x206f},   {0xe000, 0xf8ff},
      {0xfeff, 0xfeff},    {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x13438},
      {0x1bca0, 0x1bca3},  {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}, {0xf0000, 0xffffd},
      {0x100000, 0x10fffd}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [&](const auto& range) { return code >= range[0] && code <= range[1]; });
}

/// Well-formed UTF-8 in which nothing but the characters of `allowed` (ASCII) acts on a terminal or hides.
inline bool is_harmless(std::string_view text, std::string_view allowed = {}) {
  while (!text.empty()) {
    std::uint32_t code = 0;
    const std::size_t size = sequence(text, code);
    if (size == 0) {
      std::fprintf(stderr, "not UTF-8: byte %02x\n", static_cast<unsigned char>(text[0]));
      return false;
    }
    if (is_unsafe(code) && (code > 0x7f || allowed.find(static_cast<char>(code)) == std::string_view::npos)) {
      std::fprintf(stderr, "unsafe character U+%04X\n", code);
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

/// A file in memory that holds `content`, the offset at its start.
inline UniqueFd file_with(std::string_view content) {
  UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
  FUZZ_REQUIRE(file.valid());
  for (std::size_t at = 0; at < content.size();) {
    const ssize_t n = ::pwrite(file.get(), content.data() + at, content.size() - at, static_cast<off_t>(at));
    FUZZ_REQUIRE(n > 0);
    at += static_cast<std::size_t>(n);
  }
  return file;
}

}  // namespace rehearse::fuzz
