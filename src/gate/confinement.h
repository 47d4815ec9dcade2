// What a process gives up before it reads the first byte that the sandbox sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace rehearse::gate {

/// Unmapped user and group of processes that need to own nothing (nobody, nogroup).
inline constexpr unsigned kNobody = 65534;

/// Closes all descriptors but these. `kept` is put in order.
Result<void> close_others(std::span<int> kept);

/// So many descriptors, or as many as this process may have if those are fewer: how many.
Result<std::uint64_t> limit_descriptors(std::uint64_t wanted);

/// For a process with one thread: no signal but SIGTERM and SIGKILL reaches it, it dies with the process
/// `parent` (more precisely with the thread of it that forked), it is nobody without groups and capabilities
/// and cannot become anybody else, cannot be traced or dump core, may allocate `memory_bytes` beyond what it
/// has, and may from now on use the sockets that it has, make TCP and UDP sockets, pipes, and memory that is
/// not executable: everything else fails with EPERM (seccomp(2)). All or an error: the caller must not go on
/// after one.
Result<void> confine(int parent, std::uint64_t memory_bytes);

}  // namespace rehearse::gate
