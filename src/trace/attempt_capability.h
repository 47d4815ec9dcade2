// Which capability of the host an attempt is about.
#pragma once

#include <string_view>

#include "trace/event_stream.h"

namespace rehearse::trace {

/// "CAP_SYS_TIME": what the host's kernel asks for of whoever makes such a call (capabilities(7)), whether or
/// not the sandbox let it; "" where no single capability decides. `kind`: attempt_kind's word for it.
std::string_view capability_of(const TraceEvent& event, std::string_view kind);

}  // namespace rehearse::trace
