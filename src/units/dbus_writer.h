// Marshals values as D-Bus has them on the wire, little-endian.
//
// Source: D-Bus Specification 0.42, "Marshaling (Wire Format)".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rehearse::units {

/// Appends to a buffer of its own that begins at an offset divisible by eight. The caller keeps to the
/// signature it announces. Text that the wire cannot carry is made fit: what is not UTF-8 becomes U+FFFD, and
/// a NUL ends the string.
class DbusWriter {
 public:
  DbusWriter& byte(std::uint8_t value);
  DbusWriter& boolean(bool value) { return uint32(value ? 1 : 0); }
  DbusWriter& int32(std::int32_t value) { return uint32(static_cast<std::uint32_t>(value)); }
  DbusWriter& uint16(std::uint16_t value);
  DbusWriter& uint32(std::uint32_t value);
  DbusWriter& uint64(std::uint64_t value);
  DbusWriter& string(std::string_view value);
  /// The caller has a valid path.
  DbusWriter& object_path(std::string_view value) { return string(value); }
  /// Up to 255 bytes.
  DbusWriter& signature(std::string_view value);
  DbusWriter& strings(std::span<const std::string> values);
  /// Before the fields of a struct or a dict entry; nothing ends one.
  DbusWriter& open_struct();
  /// Before the value itself.
  DbusWriter& open_variant(std::string_view type) { return signature(type); }

  /// An array under construction. `element` is the code its element type begins with.
  struct Array {
    std::size_t length_at;
    std::size_t begin;
  };
  [[nodiscard]] Array open_array(char element);
  DbusWriter& close_array(Array array);

  void align(std::size_t alignment);
  [[nodiscard]] const std::string& data() const { return data_; }
  [[nodiscard]] std::string take() { return std::move(data_); }

 private:
  void number(std::uint64_t value, std::size_t size);

  std::string data_;
};

}  // namespace rehearse::units
