// Which calls change what a path or a descriptor stands for, other than by writing to it, and where.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

bool changes_file(std::uint32_t nr);
/// Nothing but its times.
bool changes_times(std::uint32_t nr);

/// The places that such a call, a mknod, or a bind of a local socket makes, removes or changes: where its
/// names lead, else what its descriptor stands for. Empty for other calls.
std::vector<std::string> changed_places(const TraceEvent& event, const EventStream& events);

}  // namespace rehearse::trace
