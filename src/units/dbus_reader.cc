#include "units/dbus_reader.h"

#include "base/escape.h"
#include "units/dbus_signature.h"

namespace rehearse::units {

void DbusReader::fail() {
  failed_ = true;
  signature_ = {};
  frames_.clear();
}

bool DbusReader::take(char type) {
  if (failed_ || signature_.empty() || signature_[0] != type) {
    fail();
    return false;
  }
  signature_.remove_prefix(1);
  return true;
}

bool DbusReader::align(std::size_t alignment) {
  for (; at_ % alignment != 0; ++at_) {
    if (at_ >= body_.size() || body_[at_] != 0) {
      fail();
      return false;
    }
  }
  return true;
}

std::uint64_t DbusReader::bytes(std::size_t size) {
  if (failed_ || !align(size)) return 0;
  if (body_.size() - at_ < size) {
    fail();
    return 0;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t from = order_ == ByteOrder::kBig ? i : size - 1 - i;
    value = value << 8U | static_cast<std::uint8_t>(body_[at_ + from]);
  }
  at_ += size;
  return value;
}

std::uint64_t DbusReader::number(char type, std::size_t size) {
  return take(type) ? bytes(size) : 0;
}

std::uint8_t DbusReader::byte() {
  return static_cast<std::uint8_t>(number('y', 1));
}

std::uint16_t DbusReader::uint16() {
  return static_cast<std::uint16_t>(number('q', 2));
}

bool DbusReader::boolean() {
  const std::uint64_t value = number('b', 4);
  if (value > 1) fail();
  return value == 1;
}

std::string_view DbusReader::raw_text(std::size_t length_size) {
  const std::uint64_t length = bytes(length_size);
  if (failed_) return {};
  if (body_.size() - at_ <= length || body_[at_ + length] != 0) {
    fail();
    return {};
  }
  const std::string_view value = body_.substr(at_, length);
  at_ += length + 1;
  if (value.find('\0') != std::string_view::npos) {
    fail();
    return {};
  }
  return value;
}

std::string_view DbusReader::text(char type) {
  if (!take(type)) return {};
  const std::string_view value = raw_text(type == 'g' ? 1 : 4);
  const bool valid = type == 's' ? is_utf8(value) : type == 'o' ? is_object_path(value) : is_signature(value);
  if (failed_ || valid) return value;
  fail();
  return {};
}

void DbusReader::push(Frame frame, std::string_view inner) {
  if (frames_.size() >= kMaxNesting) return fail();
  frames_.push_back(frame);
  signature_ = inner;
}

void DbusReader::enter_array(std::string_view element) {
  const std::string_view type = next_type();
  if (type.empty() || type.substr(1) != element || !take('a')) return fail();
  const std::string_view rest = signature_.substr(element.size());
  const std::uint64_t length = bytes(4);
  if (failed_ || !align(type_alignment(element[0]))) return;
  if (length > body_.size() - at_) return fail();
  push({rest, element, at_ + length}, {});
}

bool DbusReader::more() {
  if (failed_) return false;
  if (frames_.empty() || frames_.back().element.empty() || !signature_.empty()) {
    fail();
    return false;
  }
  const Frame frame = frames_.back();
  if (at_ < frame.end) {
    signature_ = frame.element;
    return true;
  }
  if (at_ > frame.end) {
    fail();
    return false;
  }
  frames_.pop_back();
  signature_ = frame.rest;
  return false;
}

void DbusReader::enter_struct() {
  const bool entry = !signature_.empty() && signature_[0] == '{';
  if (failed_ || signature_.empty() || (signature_[0] != '(' && !entry)) return fail();
  // An entry is the whole element of its array.
  const std::size_t length = entry ? signature_.size() : complete_type(signature_);
  if (length < 3 || !align(8)) return fail();
  push({signature_.substr(length), {}, 0}, signature_.substr(1, length - 2));
}

std::string_view DbusReader::enter_variant() {
  if (!take('v')) return {};
  const std::string_view type = raw_text(1);
  if (failed_ || type.empty() || complete_type(type) != type.size()) {
    fail();
    return {};
  }
  push({signature_, {}, 0}, type);
  return failed_ ? std::string_view() : type;
}

void DbusReader::leave() {
  if (failed_ || frames_.empty() || !frames_.back().element.empty() || !signature_.empty()) return fail();
  signature_ = frames_.back().rest;
  frames_.pop_back();
}

std::vector<std::string> DbusReader::strings() {
  std::vector<std::string> values;
  enter_array("s");
  while (more()) values.emplace_back(string());
  if (failed_) values.clear();
  return values;
}

std::string_view DbusReader::next_type() const {
  if (signature_.empty()) return {};
  return signature_[0] == '{' ? signature_ : signature_.substr(0, complete_type(signature_));
}

// Recursion ends at kMaxNesting: every level pushes a frame.
void DbusReader::pass(DbusWriter* out) {
  const std::string_view type = next_type();
  if (failed_ || type.empty()) return fail();
  switch (type[0]) {
    case 'y': {
      const std::uint8_t value = byte();
      if (out != nullptr) out->byte(value);
      return;
    }
    case 'b': {
      const bool value = boolean();
      if (out != nullptr) out->boolean(value);
      return;
    }
    case 'n':
    case 'q': {
      const std::uint64_t value = number(type[0], 2);
      if (out != nullptr) out->uint16(static_cast<std::uint16_t>(value));
      return;
    }
    case 'i':
    case 'u': {
      const std::uint64_t value = number(type[0], 4);
      if (out != nullptr) out->uint32(static_cast<std::uint32_t>(value));
      return;
    }
    case 'x':
    case 't':
    case 'd': {
      const std::uint64_t value = number(type[0], 8);
      if (out != nullptr) out->uint64(value);
      return;
    }
    case 's':
    case 'o': {
      const std::string_view value = text(type[0]);
      if (out != nullptr) out->string(value);
      return;
    }
    case 'g': {
      const std::string_view value = text('g');
      if (out != nullptr) out->signature(value);
      return;
    }
    case 'v': {
      const std::string_view inner = enter_variant();
      if (out != nullptr) out->open_variant(inner);
      pass(out);
      return leave();
    }
    case 'a': {
      enter_array(type.substr(1));
      if (failed_) return;
      const DbusWriter::Array array = out != nullptr ? out->open_array(type[1]) : DbusWriter::Array{};
      while (more()) pass(out);
      if (out != nullptr) out->close_array(array);
      return;
    }
    default:  // ( and {
      enter_struct();
      if (out != nullptr) out->open_struct();
      while (!signature_.empty()) pass(out);
      return leave();
  }
}

}  // namespace rehearse::units
