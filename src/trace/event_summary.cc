#include "trace/event_summary.h"

#include <algorithm>
#include <tuple>

namespace rehearse::trace {

void EventSummary::add(const TraceEvent& event) {
  if (event.type != EventType::kCall) return;
  syscalls::Call call;
  call.nr = event.record->head().nr;
  call.abi = event.record->head().abi;
  const std::string name = syscalls::format_full_name(call);
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
