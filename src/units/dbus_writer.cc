#include "units/dbus_writer.h"

#include <algorithm>

#include "base/escape.h"
#include "units/dbus_signature.h"

namespace rehearse::units {

void DbusWriter::align(std::size_t alignment) {
  data_.append((alignment - data_.size() % alignment) % alignment, '\0');
}

void DbusWriter::number(std::uint64_t value, std::size_t size) {
  align(size);
  for (std::size_t i = 0; i < size; ++i) data_ += static_cast<char>(value >> (8 * i) & 0xffU);
}

DbusWriter& DbusWriter::byte(std::uint8_t value) {
  data_ += static_cast<char>(value);
  return *this;
}

DbusWriter& DbusWriter::uint16(std::uint16_t value) {
  number(value, 2);
  return *this;
}

DbusWriter& DbusWriter::uint32(std::uint32_t value) {
  number(value, 4);
  return *this;
}

DbusWriter& DbusWriter::uint64(std::uint64_t value) {
  number(value, 8);
  return *this;
}

DbusWriter& DbusWriter::string(std::string_view value) {
  value = value.substr(0, value.find('\0'));
  if (!is_utf8(value)) return string(to_utf8_lossy(value));
  number(value.size(), 4);
  data_ += value;
  data_ += '\0';
  return *this;
}

DbusWriter& DbusWriter::signature(std::string_view value) {
  value = value.substr(0, 255);
  data_ += static_cast<char>(value.size());
  data_ += value;
  data_ += '\0';
  return *this;
}

DbusWriter& DbusWriter::strings(std::span<const std::string> values) {
  const Array array = open_array('s');
  for (const std::string& value : values) string(value);
  return close_array(array);
}

DbusWriter& DbusWriter::open_struct() {
  align(8);
  return *this;
}

DbusWriter::Array DbusWriter::open_array(char element) {
  number(0, 4);
  const std::size_t length_at = data_.size() - 4;
  align(type_alignment(element));  // not part of the length
  return {length_at, data_.size()};
}

DbusWriter& DbusWriter::close_array(Array array) {
  const std::size_t length = data_.size() - array.begin;
  for (std::size_t i = 0; i < 4; ++i) {
    data_[array.length_at + i] = static_cast<char>(length >> (8 * i) & 0xffU);
  }
  return *this;
}

}  // namespace rehearse::units
