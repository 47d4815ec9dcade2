#include "trace/ipc_objects.h"

#include <sys/ipc.h>

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 65536;
constexpr std::int32_t kOldStructures = 0x100;  // IPC_64, which libraries add

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
      left_.emplace(Object(call->kind, static_cast<std::int32_t>(event.result())), int_argument(record, 0));
    else
      cut_ = true;
  } else if ((int_argument(record, call->command) & ~kOldStructures) == IPC_RMID) {
    left_.erase({call->kind, int_argument(record, 0)});
  }
}

}  // namespace rehearse::trace
