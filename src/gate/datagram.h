// UDP datagrams as whole packets (RFC 768, RFC 791, RFC 8200), for sockets that send with the head included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.h"

namespace rehearse::gate {

struct UdpEnd {
  IpAddress address;
  std::uint16_t port = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
  friend auto operator<=>(const UdpEnd&, const UdpEnd&) = default;
};

/// The packet that carries `payload`. Both ends are of one family; empty if they are not, or if the packet
/// would be larger than its length fields can say.
std::string udp_packet(const UdpEnd& from, const UdpEnd& to, std::string_view payload);

}  // namespace rehearse::gate
