#include "trace/ipc_call.h"

#include "syscalls/table.h"

namespace rehearse::trace {

using syscalls::Nr;

std::optional<IpcCall> ipc_call(std::uint32_t nr) {
  switch (nr) {
    case Nr::shmget:
      return IpcCall{IpcKind::kShm, true};
    case Nr::semget:
      return IpcCall{IpcKind::kSem, true};
    case Nr::msgget:
      return IpcCall{IpcKind::kMsg, true};
    case Nr::shmctl:
      return IpcCall{IpcKind::kShm, false, 1};
    case Nr::semctl:
      return IpcCall{IpcKind::kSem, false, 2};
    case Nr::msgctl:
      return IpcCall{IpcKind::kMsg, false, 1};
    default:
      return std::nullopt;
  }
}

std::int32_t int_argument(const Record& call, unsigned argument) {
  constexpr std::uint64_t kInt = 0xffffffff;
  return static_cast<std::int32_t>(call.argument(argument) & kInt);
}

}  // namespace rehearse::trace
