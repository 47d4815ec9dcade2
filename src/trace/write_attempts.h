// What an action that may not write tried to write: the first calls that would have changed something that
// outlives the run.
//
// The kernel refuses them (EROFS, on mounts that are read-only) or confines them to the run's own namespaces;
// here they are told from what only looks. Asking whether one may write counts: who is told no may leave the
// writing out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

struct WriteAttempt {
  std::string what;    ///< "file"; of others attempt_kind's: "sysctl", "mount", "kill", ...
  std::string detail;  ///< the call as strace prints it; strings in it are the action's word
  std::string path;    ///< of a file: as the kernel has it, or where the name led; or empty
  int error = 0;       ///< errno that the caller got; 0: it was confined to the run
  std::string exe;     ///< of who made it
  std::vector<std::string> argv;
  std::uint32_t process = 0;
};

/// What kind of write `event` is an attempt at; "": none. `events` has made it, and is in the midst of it.
std::string_view write_kind(const TraceEvent& event, const EventStream& events);

/// All that is kept of it.
WriteAttempt describe_write(const TraceEvent& event, const EventStream& events, std::string_view kind);

}  // namespace rehearse::trace
