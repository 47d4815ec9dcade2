// Stand-ins for a host's interfaces within a run's network namespace, with the host's addresses and routes:
// what programs that look at the network find. Nothing is sent by them, since every address is the loopback
// device's (run_sockets.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "gate/host_network.h"

namespace rehearse::gate {

struct NetworkMirror {
  std::string kind;                ///< of the stand-ins: "dummy" or "ifb"; empty: there are none
  std::vector<IpAddress> own;      ///< the host's addresses that the namespace has now
  std::optional<IpAddress> from4;  ///< the source that the host takes for destinations in the internet
  std::optional<IpAddress> from6;
  /// What is not as on the host, a line each, names of interfaces escaped.
  std::vector<std::string> missing;
};

/// Into the network namespace that the calling thread is in, which has a loopback device and no other. No
/// kernel module is loaded for it: where the kernel has neither dummy nor ifb devices at hand, nothing is
/// made and `missing` says so. An error if there is no netlink.
Result<NetworkMirror> mirror_network(const HostNetwork& host);

}  // namespace rehearse::gate
