// Where the action waited to be reached, for the report.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "host/listeners.h"
#include "report/run_record.h"
#include "trace/listening_sockets.h"

namespace rehearse {

/// In the order in which they were first there; `host`: who listens on the host, nullptr if that is not
/// known; `begun_ns`: CLOCK_MONOTONIC.
std::vector<report::ListenerRecord> describe_listeners(const trace::ListeningSockets& sockets,
                                                       const host::Listeners* host, std::uint64_t begun_ns);

/// What would have come of them on the host, where that is something else. The record has the listeners and
/// what the service manager was asked for.
void listener_gaps(report::RunRecord& record);
/// The same of addresses that sockets were only bound to. `own`: this host's; `mirrored`: they are inside
/// too.
void bind_gaps(const std::set<IpAddress>& bound_to, const std::set<IpAddress>& own, bool mirrored,
               report::RunRecord& record);

}  // namespace rehearse
