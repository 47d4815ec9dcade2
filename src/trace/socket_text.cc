#include "trace/socket_text.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>

#include "syscalls/call.h"

namespace rehearse::trace {

IpAddress address_of(const struct rh_socket& socket) {
  IpAddress address;
  std::memcpy(address.bytes.data(), socket.address, sizeof socket.address);
  return address;
}

std::string protocol_of(const struct rh_socket& socket) {
  switch (socket.protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return "icmp";
    default:
      return fmt::format("protocol {}", socket.protocol);
  }
}

std::string_view what_of(const struct rh_socket& socket) {
  switch (socket.what) {
    case RH_BIND:
      return "bind";
    case RH_BOUND:
      return "bound";
    case RH_LISTEN:
      return "listen";
    case RH_SEND:
      return "send";
    default:
      return "connect";
  }
}

std::string_view verdict_of(const struct rh_socket& socket) {
  if (socket.listened != 0) return "inside";
  switch (socket.verdict) {
    case RH_DENY:
      return "denied";
    case RH_DROP:
      return "dropped";
    case RH_GATE:
      return "gate";
    default:
      return "natural";
  }
}

std::string socket_text(const struct rh_socket& socket) {
  const IpAddress address = address_of(socket);
  const std::string place = address.is_v4() ? format_ip(address) : '[' + format_ip(address) + ']';
  const std::string text =
      fmt::format("{} {} {}:{}", what_of(socket), protocol_of(socket), place, socket.port);
  if (socket.what >= RH_BIND) return text;
  if (socket.listened != 0) return text + ": to a server inside";
  const std::string by =
      socket.rule == 0 ? std::string("by default") : fmt::format("by rule {}", socket.rule);
  switch (socket.verdict) {
    case RH_DENY:
      return text + fmt::format(": denied with {} {}", syscalls::errno_name(socket.error), by);
    case RH_DROP:
      return text + ": dropped " + by;
    case RH_GATE:
      return text + (socket.rule == 0 ? std::string(": to the gate's name server") : ": to the gate " + by);
    default:
      return text + ": nothing inside listens there";
  }
}

}  // namespace rehearse::trace
