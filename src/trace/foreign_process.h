// Calls that act on a process which is not there inside: on the host there may be one of that number.
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

/// The number of the process or group that a call names to change or ask for its priority, scheduling, CPUs
/// or limits, or to write below /proc/NUMBER; of a kill whom it is for.
std::optional<std::uint32_t> named_process(const TraceEvent& event, const EventStream& events);

/// Whether it is such a call, to one that never was there inside, or to all of a user. Only asking counts
/// too where the answer is needed for setting (renice, taskset): nobody can tell what would have come next.
bool acts_on_foreign_process(const TraceEvent& event, const EventStream& events);

}  // namespace rehearse::trace
