// The compiled system call filter.
#pragma once

#include <linux/filter.h>

#include <span>

namespace rehearse::sandbox {

/// Static storage.
std::span<const struct sock_filter> seccomp_program();

}  // namespace rehearse::sandbox
