#include "trace/unmapped_ids.h"

#include <cerrno>
#include <limits>

#include "trace/process_tree.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 64;

/// Of the calls whose files may have such an owner: of others, EOVERFLOW is about sizes and times.
bool changes_a_file(const syscalls::Syscall& call) {
  return call.find(syscalls::Arg::kPath).has_value() || call.nr == syscalls::Nr::fchmod ||
         call.nr == syscalls::Nr::fchown || call.nr == syscalls::Nr::ftruncate;
}

}  // namespace

void UnmappedIds::add(const TraceEvent& event) {
  if (first_ == 0 || event.type != EventType::kCall || !event.failed() || event.record->head().abi != 0)
    return;
  const auto error = static_cast<int>(-event.result());
  if (error != EINVAL && error != EOVERFLOW) return;
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  if (call == nullptr || !(error == EINVAL ? names_one(*call, *event.record) : changes_a_file(*call))) return;
  const Image* image = ProcessTree::image_of(*event.process);
  const std::string program = image == nullptr ? "" : image->path.substr(image->path.rfind('/') + 1);
  if (failed_.size() < kMost) failed_.insert(std::string(call->name) + " (" + program + ')');
}

/// The highest number stands for "as it was".
bool UnmappedIds::names_one(const syscalls::Syscall& call, const Record& record) const {
  for (std::uint8_t i = 0; i < call.count; ++i) {
    if (call.args[i] != syscalls::Arg::kUid && call.args[i] != syscalls::Arg::kGid) continue;
    const auto id = static_cast<std::uint32_t>(record.argument(i));
    if (id >= first_ && id != std::numeric_limits<std::uint32_t>::max()) return true;
  }
  return false;
}

}  // namespace rehearse::trace
