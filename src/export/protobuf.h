// Writes protocol buffer messages field by field: the wire format of
// protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::exporting {

/// One message. Field numbers are 1 to 536870911, as the format has them.
class ProtobufWriter {
 public:
  /// uint32, uint64, enum
  ProtobufWriter& number(std::uint32_t field, std::uint64_t value);
  /// int32, int64: a negative one takes ten bytes
  ProtobufWriter& signed_number(std::uint32_t field, std::int64_t value) {
    return number(field, static_cast<std::uint64_t>(value));
  }
  ProtobufWriter& boolean(std::uint32_t field, bool value) { return number(field, value ? 1 : 0); }
  ProtobufWriter& bytes(std::uint32_t field, std::string_view value);
  /// A string has to be UTF-8: what is not becomes U+FFFD.
  ProtobufWriter& text(std::uint32_t field, std::string_view value);
  ProtobufWriter& message(std::uint32_t field, const ProtobufWriter& value) {
    return bytes(field, value.data());
  }

  [[nodiscard]] const std::string& data() const { return data_; }
  /// Makes it an empty message again.
  ProtobufWriter& clear() {
    data_.clear();
    return *this;
  }

 private:
  enum class Wire : std::uint32_t { kVarint = 0, kLengthDelimited = 2 };
  void varint(std::uint64_t value);
  void tag(std::uint32_t field, Wire wire);

  std::string data_;
};

}  // namespace rehearse::exporting
