#include "verdict/blame.h"

#include <algorithm>
#include <limits>

namespace rehearse::verdict {
namespace {

std::int64_t end_of(const RanProcess& process) {
  return process.end_ns.value_or(std::numeric_limits<std::int64_t>::max());
}

}  // namespace

Blame::Blame(const std::vector<RanProcess>& processes) {
  std::unordered_map<std::uint32_t, std::vector<const RanProcess*>> failed_children;
  for (const RanProcess& process : processes) {
    by_id_[process.id] = &process;
    if (process.failed() && process.parent != process.id) failed_children[process.parent].push_back(&process);
  }
  const RanProcess* action = find(1);
  if (action == nullptr || !action->failed()) return;
  std::vector<const RanProcess*> open = {action};
  blamed_.insert(1);
  while (!open.empty()) {
    const RanProcess& parent = *open.back();
    open.pop_back();
    const auto children = failed_children.find(parent.id);
    if (children == failed_children.end()) continue;
    // What ended after its parent did not make it fail: the run's end did that.
    const RanProcess* last = nullptr;
    for (const RanProcess* child : children->second) {
      if (end_of(*child) <= end_of(parent) && (last == nullptr || end_of(*child) >= end_of(*last)))
        last = child;
    }
    if (last == nullptr) continue;
    for (const RanProcess* child : children->second) {
      const bool beside = end_of(*child) <= end_of(parent) && end_of(*child) >= last->start_ns;
      if (beside && blamed_.insert(child->id).second) open.push_back(child);
    }
  }
}

const RanProcess* Blame::find(std::uint32_t process) const {
  const auto found = by_id_.find(process);
  return found == by_id_.end() ? nullptr : found->second;
}

bool Blame::near(std::uint32_t process) const {
  if (has(process)) return true;
  const RanProcess* found = find(process);
  return found != nullptr && has(found->parent);
}

}  // namespace rehearse::verdict
