// User and group ids that the run's user namespace does not have: an owner that the action wanted and the
// kernel refused, and files of such owners that it could not change.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "syscalls/table.h"
#include "trace/event_stream.h"

namespace rehearse::trace {

class UnmappedIds {
 public:
  /// `first`: the least id that is not mapped. 0: all are, and nothing is noted.
  explicit UnmappedIds(std::uint32_t first) : first_(first) {}

  /// Takes the next event of the stream.
  void add(const TraceEvent& event);
  /// "chown (tar)", of a bounded number of calls that failed so and would not on a host.
  [[nodiscard]] const std::set<std::string>& failed() const { return failed_; }

 private:
  [[nodiscard]] bool names_one(const syscalls::Syscall& call, const Record& record) const;

  std::uint32_t first_;
  std::set<std::string> failed_;
};

}  // namespace rehearse::trace
