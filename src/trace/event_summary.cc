#include "trace/event_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace rehearse::trace {

void EventSummary::add(const TraceEvent& event) {
  if (event.type != EventType::kCall) return;
  const struct rh_head& head = event.record->head();
  const syscalls::Syscall* known = head.abi == 0 ? syscalls::find_syscall(head.nr) : nullptr;
  const std::string name =
      known == nullptr ? fmt::format("syscall_{:#x}", head.nr) : std::string(known->name);
  for (const std::uint32_t process : {0U, event.process->id}) {
    Line& line = lines_[{process, name}];
    line.process = process;
    line.name = name;
    ++line.calls;
    if (event.failed()) ++line.errors;
    if (event.begun_ns && !event.unfinished) {
      ++line.timed;
      line.total_ns += static_cast<std::int64_t>(event.time_ns - *event.begun_ns);
    }
  }
}

std::vector<EventSummary::Line> EventSummary::lines() const {
  std::vector<Line> all;
  all.reserve(lines_.size());
  for (const auto& [key, line] : lines_) all.push_back(line);
  std::sort(all.begin(), all.end(), [](const Line& a, const Line& b) {
    return std::tie(a.process, b.calls, a.name) < std::tie(b.process, a.calls, b.name);
  });
  return all;
}

}  // namespace rehearse::trace
