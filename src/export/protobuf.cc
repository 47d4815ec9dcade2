#include "export/protobuf.h"

#include "base/escape.h"

namespace rehearse::exporting {

void ProtobufWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) data_ += static_cast<char>((value & 0x7fU) | 0x80U);
  data_ += static_cast<char>(value);
}

void ProtobufWriter::tag(std::uint32_t field, Wire wire) {
  varint(std::uint64_t{field} << 3U | static_cast<std::uint32_t>(wire));
}

ProtobufWriter& ProtobufWriter::number(std::uint32_t field, std::uint64_t value) {
  tag(field, Wire::kVarint);
  varint(value);
  return *this;
}

ProtobufWriter& ProtobufWriter::bytes(std::uint32_t field, std::string_view value) {
  tag(field, Wire::kLengthDelimited);
  varint(value.size());
  data_ += value;
  return *this;
}

ProtobufWriter& ProtobufWriter::text(std::uint32_t field, std::string_view value) {
  return is_utf8(value) ? bytes(field, value) : bytes(field, to_utf8_lossy(value));
}

}  // namespace rehearse::exporting
