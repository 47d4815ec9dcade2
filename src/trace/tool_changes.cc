#include "trace/tool_changes.h"

#include "syscalls/table.h"
#include "trace/file_change.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMostPaths = 4096;

/// A maker comes before what it makes.
void extend(std::vector<std::uint32_t>& roots, const std::vector<Process>& processes) {
  for (std::size_t id = roots.size(); id < processes.size(); ++id) {
    const std::uint32_t maker = processes[id].maker;
    roots.push_back(maker == 0 || maker >= id ? static_cast<std::uint32_t>(id) : roots[maker]);
  }
}

}  // namespace

std::vector<std::uint32_t> ToolChanges::roots(const ProcessTree& tree) {
  std::vector<std::uint32_t> roots;
  extend(roots, tree.processes());
  return roots;
}

std::uint32_t ToolChanges::root_of(std::uint32_t process, const ProcessTree& tree) {
  extend(roots_, tree.processes());
  return process < roots_.size() ? roots_[process] : 0;
}

void ToolChanges::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.failed() || event.record->head().abi != 0)
    return;
  // Nearly always the action: asked first.
  const std::uint32_t root = root_of(event.process->id, events.tree());
  if (root <= 1) return;
  const std::uint32_t nr = event.record->head().nr;
  const syscalls::Syscall* call = syscalls::find_syscall(nr);
  if (call == nullptr) return;
  const auto note = [&](std::string path) {
    if (path.empty()) return;
    if (count_ >= kMostPaths) {
      cut_ = true;
      return;
    }
    if (paths_[root].insert(std::move(path)).second) ++count_;
  };
  if (const auto flags = open_flags(*event.record, event.entry)) {
    if (opens_for_writing(*flags)) note(events.place(event));
    return;
  }
  if (!changes_file(nr)) return;
  note(events.place(event));
  for (unsigned arg = 0; arg < call->count; ++arg) {
    if (call->args[arg] == syscalls::Arg::kPath) note(events.place(event, arg));
  }
}

}  // namespace rehearse::trace
