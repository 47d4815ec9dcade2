// Whether the network gate works on this host, found out by using it. For `rehearse doctor` only.
#pragma once

#include "base/result.h"
#include "host/cgroups.h"

namespace rehearse {

struct GateAbilities {
  bool hears_local_sockets = false;  ///< by hooks in the kernel; else the trace alone tells of them
  bool keeps_modules_out = false;    ///< the kernel loads no module for a run
};

/// In a throw-away process with a network namespace of its own: a connection is denied by the socket hooks,
/// another one arrives at the gate by the packet program. The error says which part does not work. Nothing is
/// left behind.
Result<GateAbilities> probe_gate(const host::Cgroups& cgroups);

}  // namespace rehearse
