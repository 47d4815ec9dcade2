// Numbers in network byte order: read from what may end anywhere, appended to a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::gate {

/// Takes values off the front of bytes it does not own. What is not there reads as zeros or as nothing, and
/// from then on ok() is false: check it once, after a group of reads.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u24() { return number(3); }
  std::uint32_t u32() { return number(4); }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  /// Everything was read and nothing was missing.
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

 private:
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : take(size)) value = value << 8U | static_cast<std::uint8_t>(c);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

inline void append_u8(std::string& out, std::uint8_t value) {
  out += static_cast<char>(value);
}
inline void append_u16(std::string& out, std::uint16_t value) {
  append_u8(out, static_cast<std::uint8_t>(value >> 8U));
  append_u8(out, static_cast<std::uint8_t>(value));
}
inline void append_u32(std::string& out, std::uint32_t value) {
  append_u16(out, static_cast<std::uint16_t>(value >> 16U));
  append_u16(out, static_cast<std::uint16_t>(value));
}

}  // namespace rehearse::gate
