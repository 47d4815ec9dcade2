// Calls that act on a process which is not there inside: on the host there may be one of that number. The
// run's init is there, and stands for others: on the host PID 1 is the host's, and the action's parent
// whoever started it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "trace/event_stream.h"

namespace rehearse::trace {

/// "1" and "ns/mnt" of "/proc/1/ns/mnt"; nothing if it is not of a process.
struct OfProcess {
  std::string_view who;
  std::string_view what;
};
OfProcess of_process(std::string_view path);

/// 812 of "/proc/812" and "/proc/812/status".
std::optional<std::uint32_t> process_number(std::string_view path);

/// Which argument of a call says which process, thread or group it is about; nothing: it is about none, or
/// about all of a user.
std::optional<unsigned> process_argument(const Record& record);

/// The number of the process, thread or group that a call is about or whose entry in /proc it would write to.
std::optional<std::uint32_t> named_process(const TraceEvent& event, const EventStream& events);

/// Whether it is such a call, to one that never was there inside, or to all of a user; also what changes the
/// run's init. Only asking counts too where the answer is needed for setting (renice, taskset): of a process
/// that is not there nobody can tell what would have come next.
bool acts_on_foreign_process(const TraceEvent& event, const EventStream& events);

}  // namespace rehearse::trace
