// Paths changed by processes that the run's PID 1 started beside the action: probes and validators, which are
// to look and not to change.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

class ToolChanges {
 public:
  /// `events` has made `event`, and is in the midst of it.
  void add(const TraceEvent& event, const EventStream& events);

  /// The process that PID 1 started and that `process` comes from; 1: the action.
  [[nodiscard]] static std::vector<std::uint32_t> roots(const ProcessTree& tree);
  [[nodiscard]] std::uint32_t root_of(std::uint32_t process, const ProcessTree& tree);
  /// What they opened for writing, made, renamed, removed or changed, by root.
  [[nodiscard]] const std::map<std::uint32_t, std::set<std::string>>& paths() const { return paths_; }
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  std::vector<std::uint32_t> roots_;  ///< by process, as far as was asked
  std::map<std::uint32_t, std::set<std::string>> paths_;
  std::size_t count_ = 0;
  bool cut_ = false;
};

}  // namespace rehearse::trace
