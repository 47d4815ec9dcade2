#include "trace/host_paths.h"

#include <linux/fs.h>

#include <cstdint>

#include "syscalls/table.h"
#include "trace/path_argument.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 100'000;  ///< names that are followed

/// Two names of a call.
struct FromTo {
  std::string from;
  std::string to;
  [[nodiscard]] bool known() const { return from.starts_with('/') && to.starts_with('/'); }
};

}  // namespace

/// Beyond the most that is kept, what is met under a new name counts as lying under it on the host.
bool HostPaths::full() const {
  return objects_.size() >= kMost || links_.size() >= kMost;
}

void HostPaths::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.record->head().abi != 0 || !event.returned_zero()) return;
  switch (event.record->head().nr) {
    case Nr::rename:
    case Nr::renameat:
    case Nr::renameat2:
      return renamed(event, events);
    case Nr::link:
    case Nr::linkat:
      return linked(event, events);
    case Nr::symlink:
    case Nr::symlinkat:
      return symlinked(event, events);
    case Nr::unlink:
    case Nr::unlinkat:
    case Nr::rmdir:
      return removed(event, events);
    default:
      return;
  }
}

void HostPaths::renamed(const TraceEvent& event, const EventStream& events) {
  const std::uint32_t nr = event.record->head().nr;
  const FromTo names = {events.place(event, nr == Nr::rename ? 0 : 1),
                        events.place(event, nr == Nr::rename ? 1 : 3)};
  if (!names.known() || full()) return;
  const bool exchanges = nr == Nr::renameat2 && (event.record->argument(4) & RENAME_EXCHANGE) != 0;
  for (PathMoves* moves : {&objects_, &links_}) {
    if (exchanges)
      moves->exchange(names.from, names.to);
    else
      moves->move(names.from, names.to);
  }
}

void HostPaths::linked(const TraceEvent& event, const EventStream& events) {
  const std::uint32_t nr = event.record->head().nr;
  const FromTo names = {events.place(event, nr == Nr::link ? 0 : 1),
                        events.place(event, nr == Nr::link ? 1 : 3)};
  if (!names.known() || full()) return;
  objects_.link(leads_to(names.from), names.to);
  links_.link(names.from, names.to);
}

void HostPaths::symlinked(const TraceEvent& event, const EventStream& events) {
  const std::uint32_t nr = event.record->head().nr;
  const auto target = path_argument(*syscalls::find_syscall(nr), *event.record, 0);
  const std::string link = events.place(event, nr == Nr::symlink ? 1 : 2);
  if (!target || target->path.empty() || !link.starts_with('/') || full()) return;
  std::string to(target->path);
  if (!to.starts_with('/')) to.insert(0, link.substr(0, link.rfind('/') + 1));
  links_.link(events.resolve(event.tid, to), link);
}

void HostPaths::removed(const TraceEvent& event, const EventStream& events) {
  if (objects_.size() == 0 && links_.size() == 0) return;
  const std::string path = events.place(event, event.record->head().nr == Nr::unlinkat ? 1 : 0);
  for (PathMoves* moves : {&objects_, &links_}) moves->forget(path);
}

}  // namespace rehearse::trace
