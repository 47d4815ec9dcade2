// One argument of a call as text, and numbers that results share with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "syscalls/call.h"

namespace rehearse::syscalls {

/// Argument `index`, which is a `kind` (resolved: see variants.h), appended.
void append_argument(std::string& out, const Call& call, std::size_t index, Arg kind);

/// The first argument of clone(2), flags and a signal: CLONE_VM|CLONE_VFORK|SIGCHLD
void append_clone_flags(std::string& out, std::uint64_t value);

/// S_IFREG|0644
void append_file_type(std::string& out, std::uint64_t value);

/// PER_LINUX|ADDR_NO_RANDOMIZE
void append_personality(std::string& out, std::uint64_t value);

/// IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)
void append_ioprio(std::string& out, std::uint64_t value);

}  // namespace rehearse::syscalls
