// How often each call was made, how often it failed and how long it took, as `strace -c` users expect.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "trace/event_stream.h"

namespace rehearse::trace {

class EventSummary {
 public:
  void add(const TraceEvent& event);

  struct Line {
    std::uint32_t process = 0;  ///< 0: all of them
    std::string name;
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    std::uint64_t timed = 0;    ///< calls whose begin was recorded
    std::int64_t total_ns = 0;  ///< of those
  };
  /// By process and then by number of calls; the totals of the run first.
  [[nodiscard]] std::vector<Line> lines() const;

 private:
  std::map<std::pair<std::uint32_t, std::string>, Line> lines_;
};

}  // namespace rehearse::trace
