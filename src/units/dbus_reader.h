// Reads values out of a D-Bus message body: hostile input.
//
// Source: D-Bus Specification 0.42, "Marshaling (Wire Format)".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "units/dbus_writer.h"

namespace rehearse::units {

/// As it stands in the first byte of a message.
enum class ByteOrder : char { kLittle = 'l', kBig = 'B' };

/// Walks a body along its signature. A read of another type than the signature says, or of bytes that are no
/// such value, fails: from then on every read gives zero or an empty text, more() is false and ok() is false,
/// so a caller checks once, at the end. Views are into the body, which outlives them. Each read is linear in
/// what it reads and keeps nothing but one frame a level of nesting (kMaxNesting at most).
class DbusReader {
 public:
  /// `body` begins at an offset divisible by eight.
  DbusReader(std::string_view body, std::string_view signature, ByteOrder order = ByteOrder::kLittle)
      : body_(body), signature_(signature), order_(order) {}

  [[nodiscard]] bool ok() const { return !failed_; }
  /// Whether the whole body has been read, and rightly.
  [[nodiscard]] bool done() const {
    return ok() && frames_.empty() && signature_.empty() && at_ == body_.size();
  }

  std::uint8_t byte();
  bool boolean();
  std::uint16_t uint16();
  std::int32_t int32() { return static_cast<std::int32_t>(number('i', 4)); }
  std::uint32_t uint32() { return static_cast<std::uint32_t>(number('u', 4)); }
  std::uint64_t uint64() { return number('t', 8); }
  std::string_view string() { return text('s'); }
  std::string_view object_path() { return text('o'); }
  std::string_view signature() { return text('g'); }

  /// Then `while (more()) { one element }`. `element` is the element type the caller expects.
  void enter_array(std::string_view element);
  bool more();
  /// Also a dict entry.
  void enter_struct();
  /// Type of the value within.
  std::string_view enter_variant();
  /// Out of a struct or variant that has been read to its end.
  void leave();

  /// Everything of an "as".
  std::vector<std::string> strings();
  /// Goes over one value of whatever type comes next; what is wrong within is found.
  void skip() { pass(nullptr); }
  /// The same, written again.
  void copy(DbusWriter& out) { pass(&out); }
  /// Type of the next value, empty at the end of the innermost container.
  [[nodiscard]] std::string_view next_type() const;

 private:
  struct Frame {
    std::string_view rest;     ///< signature behind the container
    std::string_view element;  ///< of an array; empty otherwise
    std::size_t end;           ///< of an array
  };
  void fail();
  bool take(char type);
  bool align(std::size_t alignment);
  std::uint64_t bytes(std::size_t size);
  std::uint64_t number(char type, std::size_t size);
  std::string_view text(char type);
  std::string_view raw_text(std::size_t length_size);
  void push(Frame frame, std::string_view inner);
  void pass(DbusWriter* out);

  std::string_view body_;
  std::string_view signature_;  ///< what is still to come in the innermost container
  ByteOrder order_;
  std::size_t at_ = 0;
  bool failed_ = false;
  std::vector<Frame> frames_;
};

}  // namespace rehearse::units
