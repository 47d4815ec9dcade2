// The interfaces, addresses and routes of a network namespace, as rtnetlink(7) has them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace rehearse::gate {

struct HostLink {
  int index = 0;
  std::string name;
  std::string kind;         ///< "bridge", "wireguard"; empty: hardware, or nothing that has a kind
  std::uint16_t type = 0;   ///< ARPHRD_ETHER and the like
  std::uint32_t flags = 0;  ///< IFF_UP and the like
  std::uint32_t mtu = 0;
  std::uint32_t queue_length = 0;
  std::uint32_t group = 0;
  std::uint8_t state = 0;  ///< operational: IF_OPER_UP and the like
  int master = 0;          ///< index of the bridge or bond that it belongs to
  std::string address;     ///< of its link layer, raw
  std::string broadcast;
  std::string alias;
};

/// Addresses and routes are payloads of RTM_NEWADDR and RTM_NEWROUTE: with the same numbers of interfaces
/// they mean the same in another namespace.
struct HostNetwork {
  std::vector<HostLink> links;  ///< without the loopback device
  std::vector<std::string> addresses;
  std::vector<std::string> routes;  ///< of the main table
  bool has_rules = false;           ///< routing policy beyond the three tables that every host has
  bool cut = false;                 ///< there are more than kMost of something

  static constexpr std::size_t kMost = 4096;

  /// Of the calling thread's namespace.
  static Result<HostNetwork> read();
};

/// True if the calling thread's namespace has an IPv6 address besides ::1.
bool has_ipv6_address();

}  // namespace rehearse::gate
