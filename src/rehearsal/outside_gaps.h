// What the action left where no list of changes has it, and what it would have met there on the host.
#pragma once

#include <vector>

#include "rehearsal/host_root.h"
#include "trace/ipc_objects.h"
#include "trace/outside_writes.h"
#include "verdict/finding.h"

namespace rehearse {

/// `host`: null if it cannot be asked.
std::vector<verdict::Gap> outside_gaps(const trace::OutsideWrites& writes, const trace::IpcObjects& ipc,
                                       const HostRoot* host);

}  // namespace rehearse
