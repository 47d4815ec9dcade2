#include "trace/ipc_objects.h"

#include <sys/ipc.h>

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 65536;
constexpr std::uint64_t kInt = 0xffffffff;
constexpr std::uint64_t kOldStructures = 0x100;  // IPC_64, which libraries add

std::int32_t int_of(const Record& record, unsigned arg) {
  return static_cast<std::int32_t>(record.argument(arg) & kInt);
}

}  // namespace

void IpcObjects::add(const TraceEvent& event) {
  if (event.type != EventType::kCall || event.unfinished || event.failed() || event.record->head().abi != 0)
    return;
  const Record& record = *event.record;
  const auto call = ipc_call(record.head().nr);
  if (!call) return;
  if (call->gets) {
    // The run's namespace was empty: whatever is there was made by the action.
    if (left_.size() < kMost)
      left_.emplace(Object(call->kind, static_cast<std::int32_t>(event.result())), int_of(record, 0));
    else
      cut_ = true;
  } else if ((record.argument(call->command) & kInt & ~kOldStructures) == IPC_RMID) {
    left_.erase({call->kind, int_of(record, 0)});
  }
}

}  // namespace rehearse::trace
