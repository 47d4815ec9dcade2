// Descriptors that rehearse's caller has open and the action has not got: which of them it used all the same.
#pragma once

#include <set>
#include <utility>

#include "base/callers_descriptors.h"
#include "trace/event_stream.h"

namespace rehearse::trace {

class AbsentDescriptors {
 public:
  explicit AbsentDescriptors(Descriptors absent) : absent_(std::move(absent)) {}

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// Numbers that a call was given by a process which has nothing open there, or that were looked for by name
  /// ("/dev/fd/8"). Who closes or saves whatever there may be uses none.
  [[nodiscard]] const std::set<int>& used() const { return used_; }

 private:
  void named(const TraceEvent& event, const EventStream& events);

  Descriptors absent_;
  std::set<int> used_;
};

}  // namespace rehearse::trace
