// A string that a call names something by, as the caller's memory had it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "syscalls/table.h"
#include "trace/record.h"

namespace rehearse::trace {

/// The path that a call names, and the directory that is relative to.
struct PathArgument {
  std::int32_t directory = -100;  ///< AT_FDCWD
  std::string_view path;          ///< of the record
};

/// Of the argument `arg`; nothing if it could not be read whole.
std::optional<PathArgument> path_argument(const syscalls::Syscall& call, const Record& record, unsigned arg);

}  // namespace rehearse::trace
