// Calls that get and control System V IPC objects.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

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
std::optional<IpcCall> ipc_call(std::uint32_t nr);
/// Of such a call.
std::int32_t int_argument(const Record& call, unsigned argument);

}  // namespace rehearse::trace
