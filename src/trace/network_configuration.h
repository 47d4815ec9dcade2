// Calls that would change how a host's network is set up: interfaces, addresses, routes, queues, filters,
// tunnels. In the run they change its own, or are refused.
#pragma once

#include <optional>

#include "trace/event_stream.h"

namespace rehearse::trace {

/// Told by what a message to the kernel begins with: the caller's word, but for the kind of socket. Where
/// that is not known (a message behind another, one that was written), it is taken for a change.
bool configures_network(const TraceEvent& event);

/// How the message to the kernel that it sends by netlink begins; nothing if it sends none.
std::optional<struct rh_netlink> netlink_message(const TraceEvent& event);

}  // namespace rehearse::trace
