// Whole packets (RFC 791, RFC 8200), for sockets that send with the head included: what the gate says in the
// name of whoever the action has asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.h"

namespace rehearse::gate {

/// One end of a connection or of a flow of datagrams.
struct NetEnd {
  IpAddress address;
  std::uint16_t port = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
  friend auto operator<=>(const NetEnd&, const NetEnd&) = default;
};

/// The UDP datagram (RFC 768) that carries `payload`. Both ends are of one family; empty if they are not, or
/// if the packet would be larger than its length fields can say.
std::string udp_packet(const NetEnd& from, const NetEnd& to, std::string_view payload);

/// The first packet of a TCP connection (RFC 9293), as its client sent it.
struct Knock {
  NetEnd client;
  NetEnd destination;
  std::uint32_t sequence = 0;
  std::string segment;  ///< head, options and data; the checksum is not to be relied on
};
/// Nothing if the segment does not ask for a connection.
std::optional<Knock> read_knock(const IpAddress& from, const IpAddress& to, std::string_view segment);
/// The same of a packet of IPv4, whatever protocol its head names.
std::optional<Knock> read_knock(std::string_view packet);

/// The packet itself once more.
std::string knock_packet(const Knock& knock);
/// What refuses the connection: a reset.
std::string reset_packet(const Knock& knock);
/// Or that there is no way: ICMP (RFC 792, RFC 4443). `error` is EHOSTUNREACH or ENETUNREACH.
std::string unreachable_packet(const Knock& knock, int error);
/// The same of a datagram; ECONNREFUSED: nobody has the port.
std::string undelivered_packet(const NetEnd& client, const NetEnd& destination, int error);

}  // namespace rehearse::gate
