// What a socket was given an address for, and what became of that, in words.
#pragma once

#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "bpf/events.h"

namespace rehearse::trace {

IpAddress address_of(const struct rh_socket& socket);
/// "tcp", "udp", "icmp", or the number of the protocol.
std::string protocol_of(const struct rh_socket& socket);
/// "connect", "send", "bind".
std::string_view what_of(const struct rh_socket& socket);
/// "denied", "dropped", "gate", "inside" (a server of the action's own has the address), "natural".
std::string_view verdict_of(const struct rh_socket& socket);

/// "connect tcp 93.184.216.34:443: denied with ECONNREFUSED by default".
std::string socket_text(const struct rh_socket& socket);

}  // namespace rehearse::trace
