#include "trace/argument_doubts.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 100;

}  // namespace

void ArgumentDoubts::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall) return;
  const Doubt doubt = event.tampered() ? Doubt::kChanged : event.has_unread() ? Doubt::kUnread : Doubt::kLate;
  if (doubt == Doubt::kLate && !event.has_late_copy()) return;
  const auto kind = static_cast<std::size_t>(doubt);
  ++totals_[kind];
  const syscalls::Call call = event.call();
  DoubtfulCall seen;
  seen.process = event.process->id;
  seen.text = syscalls::format_full_name(call) + '(' + syscalls::format_arguments(call) + ')';
  if (event.fd != nullptr && !event.failed() && event.fd_number == event.result())
    seen.truth = events.place(event);
  const auto key = std::pair(doubt, std::move(seen));
  if (const auto found = list_.find(key); found != list_.end()) {
    ++found->second;
  } else if (listed_[kind] < kMost) {
    ++listed_[kind];
    list_.emplace(key, 1);
  }
}

}  // namespace rehearse::trace
