// Which paths an event is about: what the kernel says of a descriptor, and where the names lead that a call
// was given. The second is only a claim: names are followed as text, and symbolic links are taken for names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

struct EventPath {
  std::string path;
  bool claimed = false;  ///< what a call named; the kernel's own otherwise
};

/// What a call works on: what it opened or was given as a descriptor, else the first path that it names. A
/// directory that a path is relative to is not what a call works on.
std::optional<EventPath> object_of(const TraceEvent& event, const EventStream& stream);

/// Where the paths that a call names lead, in order; "" for what could not be read or is empty.
std::vector<std::string> named_paths(const TraceEvent& event, const EventStream& stream);

/// The event opened, executed, works on or names `path`, which is absolute and normal.
bool touches(const TraceEvent& event, const EventStream& stream, std::string_view path);

}  // namespace rehearse::trace
