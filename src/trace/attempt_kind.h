// Which calls a reviewer lists as attempts: what only a host's administrator may do, whether or not the
// sandbox let it, and what it refused to a caller whom a host would have let.
#pragma once

#include <cstdint>
#include <string_view>

#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

enum class Outcome : std::uint8_t {
  kDenied,
  kFaked,      ///< it seemed to succeed and did nothing
  kContained,  ///< it took place, within the run's own namespaces
};
std::string_view to_string(Outcome outcome);

/// One word or two: "mount", "sysctl", "raw device"; "" for what every program does. `events` has made
/// `event`, and is in the midst of it.
///
/// Beyond the privilege classes of the table:
///   sysctl, kernel, raw device, ptrace, namespace, file   by the path, where a change or an open was refused
///                 (EPERM, EACCES, EROFS) though the caller may override file permissions
///   ptrace        also by call, of a process that is none of the action's own
///   file          also a rename that is to leave a whiteout, which layers do not make
///   look, probe   asks what is shown of processes, sockets, settings; looks for what betrays a container
///   raw device, device   also by a name that is not there inside; "device": neither a disk nor memory
///   pipe          opens for writing a named pipe that the action did not make
///   network configuration   messages, requests and options that set up interfaces, routes, filters
///   ipc           removes or changes objects of System V and POSIX queues that are not there inside
///   host process  priority, scheduling, limits, /proc entries of a process that is not there inside, or of
///                 the run's init, where they are changed
///   kill          signals to everybody, to init, or to a process that is not there inside
///   socket        a family or protocol that is not there inside
///   module autoload   what it asked for would have had the kernel load a module
///   call convention   a call of i386 or x32
///
/// `paths`: where the action's own symlinks lead, if that is followed.
std::string_view attempt_kind(const TraceEvent& event, const EventStream& events,
                              const HostPaths* paths = nullptr);
Outcome outcome_of(const TraceEvent& event);

}  // namespace rehearse::trace
