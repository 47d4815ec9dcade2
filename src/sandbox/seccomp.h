// The compiled system call filter.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace rehearse::sandbox {

/// Static storage.
std::span<const struct sock_filter> seccomp_program();

/// What stands before it where `most` bytes are all the room there is: to take more in one call of
/// fallocate(2), which no sample is fast enough for, is refused with ENOSPC, as a filesystem refuses it.
std::vector<struct sock_filter> room_program(std::uint64_t most);

}  // namespace rehearse::sandbox
