#include "gate/packet.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "gate/bytes.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kUdpHead = 8;
constexpr std::size_t kTcpHead = 20;
constexpr std::size_t kIpv4Head = 20;
constexpr std::size_t kMostLength = 0xffff;
constexpr std::uint8_t kHops = 64;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kReset = 4;
constexpr std::uint8_t kAck = 16;
constexpr std::size_t kMostQuoted = 64;  ///< of a packet, in a message about it

/// RFC 1071: the ones' complement sum of 16-bit words; an odd byte stands before a zero.
std::uint16_t checksum(std::string_view bytes, std::uint32_t sum = 0) {
  ByteReader reader(bytes);
  while (reader.left() > 1) sum += reader.u16();
  if (reader.left() == 1) sum += std::uint32_t{reader.u8()} << 8U;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

std::string_view address_bytes(const IpAddress& address) {
  const std::string_view all(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  return address.is_v4() ? all.substr(12) : all;
}

void put_u16(std::string& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<char>(value >> 8U);
  bytes[at + 1] = static_cast<char>(value);
}

std::string ip_head(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, std::size_t length) {
  std::string head;
  if (from.is_v4()) {
    append_u16(head, 0x4500);
    append_u16(head, static_cast<std::uint16_t>(kIpv4Head + length));
    append_u32(head, 0x4000);  // no identification, not to be fragmented
    append_u8(head, kHops);
    append_u8(head, protocol);
    append_u16(head, 0);
  } else {
    append_u32(head, 0x60000000);
    append_u16(head, static_cast<std::uint16_t>(length));
    append_u8(head, protocol);
    append_u8(head, kHops);
  }
  head += address_bytes(from);
  head += address_bytes(to);
  if (from.is_v4()) put_u16(head, 10, checksum(head));
  return head;
}

/// Over the addresses, the protocol and the length, too.
std::uint16_t checksum_within(const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                              std::string_view payload) {
  std::string pseudo(address_bytes(from));
  pseudo += address_bytes(to);
  append_u16(pseudo, protocol);
  append_u16(pseudo, static_cast<std::uint16_t>(payload.size()));
  const auto over_head = static_cast<std::uint16_t>(~checksum(pseudo));
  return checksum(payload, over_head);
}

std::string tcp_packet(const IpAddress& from, const IpAddress& to, std::string segment) {
  put_u16(segment, kTcpChecksum, 0);
  put_u16(segment, kTcpChecksum, checksum_within(from, to, IPPROTO_TCP, segment));
  return ip_head(from, to, IPPROTO_TCP, segment.size()) + segment;
}

/// About a packet that went the other way.
std::string icmp_packet(const IpAddress& from, const IpAddress& to, int error, std::string_view about) {
  const bool four = to.is_v4();
  // RFC 792: net, host, port; RFC 4443: no route, address, port.
  std::uint8_t code = four ? 1 : 3;
  if (error == ENETUNREACH) code = 0;
  if (error == ECONNREFUSED) code = four ? 3 : 4;
  std::string message;
  append_u8(message, four ? 3 : 1);
  append_u8(message, code);
  message.append(6, '\0');
  message += about.substr(0, kMostQuoted);
  put_u16(message, 2, four ? checksum(message) : checksum_within(from, to, IPPROTO_ICMPV6, message));
  const std::uint8_t protocol = four ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6};
  return ip_head(from, to, protocol, message.size()) + message;
}

}  // namespace

std::string udp_packet(const NetEnd& from, const NetEnd& to, std::string_view payload) {
  const bool four = from.address.is_v4();
  const std::size_t length = kUdpHead + payload.size();
  if (four != to.address.is_v4() || length + (four ? kIpv4Head : 0) > kMostLength) return {};
  std::string datagram;
  datagram.reserve(length);
  append_u16(datagram, from.port);
  append_u16(datagram, to.port);
  append_u16(datagram, static_cast<std::uint16_t>(length));
  append_u16(datagram, 0);
  datagram += payload;
  const std::uint16_t sum = checksum_within(from.address, to.address, IPPROTO_UDP, datagram);
  put_u16(datagram, 6, sum == 0 ? 0xffff : sum);  // 0 stands for none
  return ip_head(from.address, to.address, IPPROTO_UDP, length) + datagram;
}

std::optional<Knock> read_knock(const IpAddress& from, const IpAddress& to, std::string_view segment) {
  Knock knock = {{from, 0}, {to, 0}, 0, std::string(segment)};
  ByteReader head(segment);
  knock.client.port = head.u16();
  knock.destination.port = head.u16();
  knock.sequence = head.u32();
  head.u32();  // what it acknowledges
  head.u8();
  const std::uint8_t flags = head.u8();
  const bool whole = head.ok() && segment.size() >= kTcpHead && segment.size() + kIpv4Head <= kMostLength;
  if (!whole || from.is_v4() != to.is_v4() || (flags & (kSyn | kAck | kReset)) != kSyn) return std::nullopt;
  return knock;
}

std::optional<Knock> read_knock(std::string_view packet) {
  ByteReader head(packet);
  const std::size_t size = std::size_t{head.u8()} % 16 * 4;
  head.take(11);
  IpAddress ends[2];
  for (IpAddress& end : ends) {
    const std::string_view bytes = head.take(4);
    if (!head.ok()) return std::nullopt;
    end = IpAddress::v4({});
    std::ranges::copy(bytes, end.bytes.begin() + 12);
  }
  if (size < kIpv4Head || size > packet.size()) return std::nullopt;
  return read_knock(ends[0], ends[1], packet.substr(size));
}

std::string knock_packet(const Knock& knock) {
  return tcp_packet(knock.client.address, knock.destination.address, knock.segment);
}

std::string reset_packet(const Knock& knock) {
  std::string segment;
  append_u16(segment, knock.destination.port);
  append_u16(segment, knock.client.port);
  append_u32(segment, 0);
  append_u32(segment, knock.sequence + 1);
  append_u8(segment, kTcpHead / 4 << 4U);
  append_u8(segment, kReset | kAck);
  segment.append(6, '\0');  // no window, the checksum, nothing urgent
  return tcp_packet(knock.destination.address, knock.client.address, std::move(segment));
}

std::string unreachable_packet(const Knock& knock, int error) {
  return icmp_packet(knock.destination.address, knock.client.address, error, knock_packet(knock));
}

std::string undelivered_packet(const NetEnd& client, const NetEnd& destination, int error) {
  return icmp_packet(destination.address, client.address, error, udp_packet(client, destination, {}));
}

}  // namespace rehearse::gate
