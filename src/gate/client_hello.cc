#include "gate/client_hello.h"

#include <algorithm>
#include <bitset>
#include <memory>

#include "gate/bytes.h"

namespace rehearse::gate {
namespace {

using State = ClientHelloParser::State;

constexpr std::size_t kRecordHead = 5;
constexpr std::size_t kMessageHead = 4;
constexpr std::size_t kMostFragment = 16384;  // RFC 8446 5.1
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::uint8_t kMajorVersion = 3;

constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kSupportedVersions = 43;
constexpr std::uint16_t kEncryptedClientHello = 0xfe0d;

/// Values that clients send to see that servers ignore what they do not know (RFC 8701).
bool is_grease(std::uint16_t value) {
  return (value & 0x0f0fU) == 0x0a0a && value >> 8U == (value & 0xffU);
}

bool read_server_name(std::string_view data, ClientHello& hello) {
  ByteReader extension(data);
  ByteReader list(extension.take(extension.u16()));
  const std::uint8_t type = list.u8();
  const std::string_view name = list.take(list.u16());
  // RFC 6066 has one type of name, and one name of a type.
  if (type != 0 || name.empty() || !list.finished() || !extension.finished()) return false;
  hello.server_name = name;
  return true;
}

bool read_protocols(std::string_view data, ClientHello& hello) {
  ByteReader extension(data);
  ByteReader list(extension.take(extension.u16()));
  if (!extension.finished() || list.empty()) return false;
  while (list.ok() && !list.empty()) {
    const std::string_view protocol = list.take(list.u8());
    if (protocol.empty()) return false;
    hello.protocols.emplace_back(protocol);
  }
  return list.ok();
}

bool read_versions(std::string_view data, ClientHello& hello) {
  ByteReader extension(data);
  ByteReader list(extension.take(extension.u8()));
  if (!extension.finished() || list.empty()) return false;
  hello.versions.clear();
  while (list.ok() && !list.empty()) {
    const std::uint16_t version = list.u16();
    if (!is_grease(version)) hello.versions.push_back(version);
  }
  return list.ok();
}

bool read_extension(std::uint16_t type, std::string_view data, ClientHello& hello) {
  switch (type) {
    case kServerName:
      return read_server_name(data, hello);
    case kAlpn:
      return read_protocols(data, hello);
    case kSupportedVersions:
      return read_versions(data, hello);
    case kEncryptedClientHello:
      hello.encrypted = true;
      return true;
    default:
      return true;
  }
}

bool read_extensions(std::string_view data, ClientHello& hello) {
  ByteReader extensions(data);
  const auto seen = std::make_unique<std::bitset<65536>>();
  while (extensions.ok() && !extensions.empty()) {
    const std::uint16_t type = extensions.u16();
    const std::string_view body = extensions.take(extensions.u16());
    // RFC 8446 4.2: at most one of a type. Two names could be read in two ways.
    if (!extensions.ok() || seen->test(type) || !read_extension(type, body, hello)) return false;
    seen->set(type);
  }
  return extensions.ok();
}

bool read_hello(std::string_view body, ClientHello& hello) {
  ByteReader bytes(body);
  hello.versions.assign(1, bytes.u16());
  bytes.take(32);  // random
  const std::uint8_t session = bytes.u8();
  bytes.take(session);
  const std::uint16_t suites = bytes.u16();
  bytes.take(suites);
  const std::uint8_t compressions = bytes.u8();
  bytes.take(compressions);
  if (!bytes.ok() || session > 32 || suites == 0 || suites % 2 != 0 || compressions == 0) return false;
  if (bytes.empty()) return true;  // TLS 1.2 without extensions
  const std::string_view extensions = bytes.take(bytes.u16());
  return bytes.finished() && read_extensions(extensions, hello);
}

}  // namespace

State ClientHelloParser::feed(std::string_view bytes) {
  while (state_ == State::kNeedMore && !bytes.empty())
    state_ = fragment_ == 0 ? take_head(bytes) : take_fragment(bytes);
  return state_;
}

State ClientHelloParser::take_head(std::string_view& bytes) {
  const std::size_t take = std::min(kRecordHead - head_.size(), bytes.size());
  head_ += bytes.substr(0, take);
  bytes.remove_prefix(take);
  ByteReader head(head_);
  const bool tls = head.u8() == kHandshake && (head.empty() || head.u8() == kMajorVersion);
  // A later record is of a connection that began as TLS.
  if (!tls) return message_.empty() ? State::kNotTls : State::kMalformed;
  if (head_.size() < kRecordHead) return State::kNeedMore;
  head.u8();
  fragment_ = head.u16();
  head_.clear();
  const bool fits = fragment_ > 0 && fragment_ <= kMostFragment;
  return fits ? State::kNeedMore : State::kMalformed;
}

State ClientHelloParser::take_fragment(std::string_view& bytes) {
  const std::size_t take = std::min(fragment_, bytes.size());
  message_ += bytes.substr(0, take);
  bytes.remove_prefix(take);
  fragment_ -= take;
  ByteReader message(message_);
  if (message.u8() != kClientHello) return State::kMalformed;
  if (message_.size() < kMessageHead) return State::kNeedMore;
  const std::size_t size = message.u24();
  if (size > kMostHello) return State::kMalformed;
  if (message.left() < size) return State::kNeedMore;
  const std::string_view body = message.take(size);
  // Nothing may follow before the server has answered.
  const bool good = message.empty() && fragment_ == 0 && read_hello(body, hello_);
  message_ = {};
  return good ? State::kHello : State::kMalformed;
}

}  // namespace rehearse::gate
