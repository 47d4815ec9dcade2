// Files that the action wrote where no layer is: in /dev/shm, or in a mount that it made. They are gone after
// the run and in no list of changes.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "trace/event_stream.h"

namespace rehearse::trace {

class OutsideWrites {
 public:
  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);
  /// The first of their paths.
  [[nodiscard]] const std::set<std::string>& paths() const { return paths_; }

 private:
  std::set<std::string> paths_;
};

}  // namespace rehearse::trace
