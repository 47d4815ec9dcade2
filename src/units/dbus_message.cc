#include "units/dbus_message.h"

#include <fmt/core.h>

#include "units/dbus_signature.h"

namespace rehearse::units {
namespace {

enum Field : std::uint8_t {
  kPath = 1,
  kInterface = 2,
  kMember = 3,
  kErrorName = 4,
  kReplySerial = 5,
  kDestination = 6,
  kSender = 7,
  kSignature = 8,
  kUnixFds = 9,
};

constexpr std::uint64_t kMaxFields = 64U << 10U;
constexpr std::uint8_t kProtocol = 1;

tl::unexpected<Error> no_message(std::string_view why) {
  return fail(fmt::format("not a D-Bus message: {}", why), ExitCode::kDataError);
}

std::size_t padded(std::size_t size) {
  return (size + 7) / 8 * 8;
}

Result<ByteOrder> byte_order(std::string_view bytes) {
  if (bytes[0] == 'l') return ByteOrder::kLittle;
  if (bytes[0] == 'B') return ByteOrder::kBig;
  return no_message("unknown byte order");
}

/// What the specification requires of each type of message.
bool is_complete(const Message& message) {
  switch (message.type) {
    case MessageType::kMethodCall:
      return !message.path.empty() && !message.member.empty();
    case MessageType::kMethodReturn:
      return message.reply_serial != 0;
    case MessageType::kError:
      return message.reply_serial != 0 && !message.error_name.empty();
    case MessageType::kSignal:
      return !message.path.empty() && !message.member.empty() && !message.interface.empty();
  }
  return false;
}

/// Takes the fields of the header into `message`.
Result<void> read_fields(DbusReader& header, Message& message) {
  header.enter_array("(yv)");
  while (header.more()) {
    header.enter_struct();
    const std::uint8_t code = header.byte();
    const std::string_view type = header.enter_variant();
    const std::string_view expected = code == kPath          ? "o"
                                      : code == kSignature   ? "g"
                                      : code == kReplySerial ? "u"
                                                             : "s";
    if (code == 0) return no_message("header field 0");
    if (code == kUnixFds) return no_message("it passes descriptors");
    if (code > kUnixFds || code == kSender) {  // ours to ignore
      header.skip();
    } else if (type != expected) {
      return no_message(fmt::format("header field {} is of the wrong type", code));
    } else if (code == kReplySerial) {
      message.reply_serial = header.uint32();
    } else {
      const std::string_view value = code == kPath        ? header.object_path()
                                     : code == kSignature ? header.signature()
                                                          : header.string();
      const bool valid = code == kPath || code == kSignature        ? true
                         : code == kMember                          ? is_member_name(value)
                         : code == kInterface || code == kErrorName ? is_interface_name(value)
                                                                    : is_bus_name(value);
      if (!valid) return no_message(fmt::format("header field {} is no valid name", code));
      std::string& place = code == kPath         ? message.path
                           : code == kInterface  ? message.interface
                           : code == kMember     ? message.member
                           : code == kErrorName  ? message.error_name
                           : code == kSignature  ? message.signature
                                                 : message.destination;
      place = value;
    }
    header.leave();
    header.leave();
  }
  if (!header.ok()) return no_message("damaged header fields");
  return {};
}

}  // namespace

Result<std::size_t> message_size(std::string_view prefix, std::size_t limit) {
  RH_TRY(const ByteOrder order, byte_order(prefix));
  DbusReader reader(prefix.substr(0, kMessagePrefix), "yyyyuuu", order);
  for (int i = 0; i < 3; ++i) reader.byte();
  if (reader.byte() != kProtocol) return no_message("unknown protocol version");
  const std::uint64_t body = reader.uint32();
  reader.uint32();
  const std::uint64_t fields = reader.uint32();
  if (fields > kMaxFields) return no_message("its header is too long");
  const std::size_t size = padded(kMessagePrefix + fields) + body;
  if (size > limit) {
    return fail(fmt::format("a D-Bus message of {} bytes is too long, the limit is {}", size, limit),
                ExitCode::kDataError);
  }
  return size;
}

Result<Message> unmarshal(std::string_view bytes) {
  if (bytes.size() < kMessagePrefix) return no_message("it is cut short");
  RH_TRY(const std::size_t size, message_size(bytes, bytes.size()));
  if (size != bytes.size()) return no_message("it is longer than it says");
  Message message;
  RH_TRY(message.order, byte_order(bytes));
  DbusReader header(bytes, "yyyyuua(yv)", message.order);
  header.byte();
  const std::uint8_t type = header.byte();
  message.flags = header.byte();
  header.byte();
  const std::uint32_t body = header.uint32();
  message.serial = header.uint32();
  if (type < 1 || type > 4) return no_message("unknown type");
  message.type = static_cast<MessageType>(type);
  if (message.serial == 0) return no_message("its serial is 0");
  RH_CHECK(read_fields(header, message));
  if (!is_complete(message)) return no_message("a header field is missing");
  message.body = bytes.substr(size - body);
  DbusReader reader = message.reader();
  while (!reader.next_type().empty()) reader.skip();
  if (!reader.done()) return no_message("its body is not of its signature");
  return message;
}

std::string marshal(const Message& message) {
  DbusWriter out;
  out.byte(static_cast<std::uint8_t>(ByteOrder::kLittle)).byte(static_cast<std::uint8_t>(message.type));
  out.byte(message.flags).byte(kProtocol).uint32(static_cast<std::uint32_t>(message.body.size()));
  out.uint32(message.serial);
  const DbusWriter::Array fields = out.open_array('(');
  const auto text = [&](Field code, std::string_view type, const std::string& value) {
    if (value.empty()) return;
    out.open_struct().byte(code).open_variant(type);
    type == "g" ? out.signature(value) : out.string(value);
  };
  text(kPath, "o", message.path);
  text(kInterface, "s", message.interface);
  text(kMember, "s", message.member);
  text(kErrorName, "s", message.error_name);
  if (message.reply_serial != 0) {
    out.open_struct().byte(kReplySerial).open_variant("u").uint32(message.reply_serial);
  }
  text(kDestination, "s", message.destination);
  text(kSignature, "g", message.signature);
  out.close_array(fields);
  out.align(8);
  return out.take() + message.body;
}

Message reply_to(const Message& call) {
  Message reply;
  reply.type = MessageType::kMethodReturn;
  reply.flags = kNoReplyExpected;
  reply.reply_serial = call.serial;
  return reply;
}

Message error_to(const Message& call, std::string_view name, std::string_view text) {
  Message error = reply_to(call);
  error.type = MessageType::kError;
  error.error_name = name;
  error.signature = "s";
  error.body = DbusWriter().string(text).take();
  return error;
}

}  // namespace rehearse::units
