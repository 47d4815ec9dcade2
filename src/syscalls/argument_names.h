// What the arguments of system calls are called, and which one of a call a name means.
//
// Names are those of the manual pages (argument_names.def). Where a call has none of that name, what others
// call the same thing is taken: Falco's words, the kernel's, strace's ("path" of openat is its "pathname",
// "fd" of connect its "sockfd", "cmd" of ioctl its "request").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "syscalls/table.h"

namespace rehearse::syscalls {

/// One name for each argument.
std::span<const std::string_view> argument_names(const Syscall& call);

/// Which argument of the call the name means; nullopt if none.
std::optional<std::uint8_t> find_argument(const Syscall& call, std::string_view name);

/// Whether any call can have an argument of that name.
bool is_argument_name(std::string_view name);

/// The name that may have been meant; empty if none is near.
std::string_view nearest_argument_name(std::string_view name);

}  // namespace rehearse::syscalls
