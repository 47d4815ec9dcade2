// The gate's side of a run's network namespace: what brings the action's packets to the gate, and the sockets
// that take them.
#pragma once

#include <cstdint>
#include <thread>

#include "base/fd.h"
#include "base/result.h"
#include "gate/network_mirror.h"

namespace rehearse::gate {

/// All belong to the run's network namespace, close on exec and do not block. Invalid where the host has no
/// IPv6. A connection that is accepted has as its own address (getsockname) what the action asked for;
/// datagrams say it with IP_ORIGDSTADDR or IPV6_ORIGDSTADDR. The raw sockets send whole packets, head
/// included: answers to datagrams from whatever address they were sent to. syn4 and syn6 get the first
/// packets of connections that wait (door.h), and send them on.
struct RunSockets {
  UniqueFd tcp4;
  UniqueFd tcp6;
  UniqueFd udp4;
  UniqueFd udp6;
  UniqueFd raw4;
  UniqueFd raw6;
  UniqueFd syn4;
  UniqueFd syn6;
  NetworkMirror mirror;  ///< what it says, if one was wanted
};

struct RunNetwork {
  int netns = -1;           ///< the run's network namespace
  int packet_program = -1;  ///< bpf/gate.bpf.c
  /// What the program is told: whose run the packets are (RH_CLASS); 0: not known.
  std::uint16_t packet_class = 0;
  const HostNetwork* mirror = nullptr;  ///< is to be seen inside; none: the loopback device alone
  bool shows_ipv6 = false;              ///< without a mirror: resolvers may look for IPv6 addresses
};

/// A thread's visit to the network namespace of the run: the loopback device is raised, every address becomes
/// one of its own (so that packets to it come back on that device), the packet program chooses what the gate
/// takes. Meanwhile the caller may go on; the thread shares neither its directories nor its namespaces.
class Visit {
 public:
  /// All that `network` names is borrowed until the end of the visit.
  explicit Visit(const RunNetwork& network);
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit();

  /// Once.
  Result<RunSockets> finish();

 private:
  Result<RunSockets> opened_;
  std::thread visitor_;
};

/// A visit that is waited for.
Result<RunSockets> open_run_sockets(const RunNetwork& network);

}  // namespace rehearse::gate
