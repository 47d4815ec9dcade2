#include "gate/datagram.h"

#include <netinet/in.h>

#include "gate/bytes.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kUdpHead = 8;
constexpr std::size_t kIpv4Head = 20;
constexpr std::size_t kMostLength = 0xffff;
constexpr std::uint8_t kHops = 64;

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

std::string ip_head(const UdpEnd& from, const UdpEnd& to, std::uint16_t udp_length) {
  std::string head;
  if (from.address.is_v4()) {
    append_u16(head, 0x4500);
    append_u16(head, static_cast<std::uint16_t>(kIpv4Head + udp_length));
    append_u32(head, 0x4000);  // no identification, not to be fragmented
    append_u8(head, kHops);
    append_u8(head, IPPROTO_UDP);
    append_u16(head, 0);
  } else {
    append_u32(head, 0x60000000);
    append_u16(head, udp_length);
    append_u8(head, IPPROTO_UDP);
    append_u8(head, kHops);
  }
  head += address_bytes(from.address);
  head += address_bytes(to.address);
  if (from.address.is_v4()) put_u16(head, 10, checksum(head));
  return head;
}

/// Over the addresses, the protocol and the length, too.
std::uint16_t udp_checksum(const UdpEnd& from, const UdpEnd& to, std::string_view datagram) {
  std::string pseudo(address_bytes(from.address));
  pseudo += address_bytes(to.address);
  append_u16(pseudo, IPPROTO_UDP);
  append_u16(pseudo, static_cast<std::uint16_t>(datagram.size()));
  const auto over_head = static_cast<std::uint16_t>(~checksum(pseudo));
  const std::uint16_t sum = checksum(datagram, over_head);
  return sum == 0 ? 0xffff : sum;  // 0 stands for none
}

}  // namespace

std::string udp_packet(const UdpEnd& from, const UdpEnd& to, std::string_view payload) {
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
  put_u16(datagram, 6, udp_checksum(from, to, datagram));
  return ip_head(from, to, static_cast<std::uint16_t>(length)) + datagram;
}

}  // namespace rehearse::gate
