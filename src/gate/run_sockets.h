// The gate's side of a run's network namespace: what brings the action's packets to the gate, and the sockets
// that take them.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::gate {

/// All belong to the run's network namespace, close on exec and do not block. Invalid where the host has no
/// IPv6. A connection that is accepted has as its own address (getsockname) what the action asked for;
/// datagrams say it with IP_ORIGDSTADDR or IPV6_ORIGDSTADDR. The raw sockets send whole packets, head
/// included: answers to datagrams from whatever address they were sent to.
struct RunSockets {
  UniqueFd tcp4;
  UniqueFd tcp6;
  UniqueFd udp4;
  UniqueFd udp6;
  UniqueFd raw4;
  UniqueFd raw6;
};

/// In the network namespace `netns`, whose loopback device is up: every address becomes one of the host's own
/// (so that packets to it come back on that device), `packet_program` (bpf/gate.bpf.c) chooses what the gate
/// takes. The calling thread visits the namespace and is back when it returns.
Result<RunSockets> open_run_sockets(int netns, int packet_program);

}  // namespace rehearse::gate
