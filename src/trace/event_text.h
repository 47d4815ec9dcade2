// Events as lines that strace users can read, and as JSON lines. Everything from the action is escaped.
#pragma once

#include <string>

#include "trace/event_stream.h"

namespace rehearse::trace {

/// "syscall", "exec", "start", "end", "signal", "io_uring", "network", "module".
const char* event_type_name(EventType type);

/// "[3] 0.001402 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3</etc/passwd>", without a newline. The number
/// in brackets is the process within the run; times count from the action's start.
std::string event_line(const TraceEvent& event, std::uint64_t begun_ns);

/// One JSON object; `realtime_offset_ns` is added to monotonic times for the absolute one.
std::string event_json(const TraceEvent& event, std::uint64_t begun_ns, std::int64_t realtime_offset_ns);

}  // namespace rehearse::trace
