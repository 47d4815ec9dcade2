// Which capability of the host an attempt is about.
#pragma once

#include <string_view>

#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

/// "CAP_SYS_TIME": what the host's kernel asks for of whoever makes such a call (capabilities(7)), whether or
/// not the sandbox let it; "" where no single capability decides. `kind`: attempt_kind's word for it;
/// `paths` as it takes them.
std::string_view capability_of(const TraceEvent& event, const EventStream& events, std::string_view kind,
                               const HostPaths* paths = nullptr);

}  // namespace rehearse::trace
