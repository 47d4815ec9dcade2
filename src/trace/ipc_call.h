// Calls that get and control System V IPC objects.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "syscalls/table.h"
#include "trace/record.h"

namespace rehearse::trace {

enum class IpcKind : std::uint8_t { kShm, kSem, kMsg };
inline constexpr std::array<std::string_view, 3> kIpcNames = {"shm", "sem", "msg"};  ///< of /proc/sysvipc

struct IpcCall {
  IpcKind kind = IpcKind::kShm;
  bool gets = false;     ///< by a key; else by its number
  unsigned command = 0;  ///< which argument that is
};
/// Nothing for other calls.
inline std::optional<IpcCall> ipc_call(std::uint32_t nr) {
  using syscalls::Nr;
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
/// Of such a call.
std::int32_t int_argument(const Record& call, unsigned argument);

}  // namespace rehearse::trace
