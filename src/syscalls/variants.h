// Families of calls whose arguments mean something else for each command (fcntl, prctl, futex, ...).
#pragma once

#include <cstddef>

#include "syscalls/call.h"
#include "syscalls/table.h"

namespace rehearse::syscalls {

/// What argument `index` is in this very call. kNone: this command does not take it, it is not shown.
Arg resolve(const Syscall& info, const Call& call, std::size_t index);

}  // namespace rehearse::syscalls
