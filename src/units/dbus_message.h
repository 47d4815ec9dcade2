// D-Bus messages as they travel over a socket.
//
// Source: D-Bus Specification 0.42, "Message Format". Both byte orders are read, little-endian is written.
// Messages that pass descriptors are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "units/dbus_reader.h"
#include "units/dbus_writer.h"

namespace rehearse::units {

enum class MessageType : std::uint8_t { kMethodCall = 1, kMethodReturn = 2, kError = 3, kSignal = 4 };

/// Header flag of a call whose sender waits for no answer.
inline constexpr std::uint8_t kNoReplyExpected = 0x1;

/// Owns its texts. Fields that a message does not have are empty or 0.
struct Message {
  MessageType type = MessageType::kMethodCall;
  std::uint8_t flags = 0;
  std::uint32_t serial = 0;  ///< never 0 on the wire
  std::uint32_t reply_serial = 0;
  std::string path;
  std::string interface;
  std::string member;
  std::string error_name;
  std::string destination;
  std::string signature;
  std::string body;
  ByteOrder order = ByteOrder::kLittle;  ///< of the body

  [[nodiscard]] DbusReader reader() const { return {body, signature, order}; }
  [[nodiscard]] bool wants_reply() const { return (flags & kNoReplyExpected) == 0; }
};

/// Bytes that tell how long a message is.
inline constexpr std::size_t kMessagePrefix = 16;

/// Length of the message that begins with `prefix` (kMessagePrefix bytes at least). kDataError if that is no
/// message, or one longer than `limit`.
Result<std::size_t> message_size(std::string_view prefix, std::size_t limit);
/// Exactly one message; header and body are checked through. kDataError says what is wrong.
Result<Message> unmarshal(std::string_view bytes);
/// The body of `message` is little-endian.
std::string marshal(const Message& message);

/// An answer to `call` that is still without a body.
Message reply_to(const Message& call);
Message error_to(const Message& call, std::string_view name, std::string_view text);

}  // namespace rehearse::units
