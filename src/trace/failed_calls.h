// The system calls about a path that failed a process shortly before it ended badly: bounded, and only of
// processes that did not end with 0. Which of them mattered is for src/verdict to say.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

struct CallFailure {
  std::uint64_t number = 0;  ///< of the event
  std::uint32_t process = 0;
  std::uint32_t nr = 0;
  int error = 0;
  std::string path;     ///< absolute, "" if that is not known
  std::string spelled;  ///< the action's word
  bool asks = false;    ///< only asked: access(2), stat(2)
};

class FailedCalls {
 public:
  /// `events` has made `event`, and is in the midst of it.
  void add(const TraceEvent& event, const EventStream& events);

  /// Of processes that ended otherwise than with 0, in the order of time.
  [[nodiscard]] std::vector<CallFailure> list(const ProcessTree& tree) const;
  /// A character device had no room: what is said of that is not about a filesystem.
  [[nodiscard]] bool full_device() const { return full_device_; }
  /// There were more processes than are kept.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  /// What was not there and what was refused, each with its own room: lookups in vain are many.
  struct Recent {
    std::deque<CallFailure> absent;
    std::deque<CallFailure> refused;
  };
  std::unordered_map<std::uint32_t, Recent> recent_;  ///< by process
  bool full_device_ = false;
  bool cut_ = false;
};

}  // namespace rehearse::trace
