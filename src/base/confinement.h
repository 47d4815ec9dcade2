// What a process gives up before it reads the first byte that the sandbox sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace rehearse {

/// Unmapped user and group of processes that need to own nothing (nobody, nogroup).
inline constexpr unsigned kNobody = 65534;

/// Closes all descriptors but these. `kept` is put in order.
Result<void> close_others(std::span<int> kept);

/// So many descriptors, or as many as this process may have if those are fewer: how many.
Result<std::uint64_t> limit_descriptors(std::uint64_t wanted);

/// So many bytes of memory beyond what this process has, and no core dump. Reads /proc/self.
Result<void> limit_memory(std::uint64_t bytes);

/// What a confined process may still do beside using the descriptors that it has, memory and time.
enum class Allowance : std::uint8_t {
  kInternet,  ///< make TCP and UDP sockets
  kReading,   ///< open files for reading, below what is its root by then
};

struct Confinement {
  int parent = 0;         ///< it dies with this process, more precisely with the thread that forked
  unsigned id = kNobody;  ///< user and group it becomes
  Allowance allowance = Allowance::kInternet;
};

/// For a process with one thread: no signal but SIGTERM and SIGKILL reaches it, it is without groups and
/// capabilities and cannot become anybody else, cannot be traced or dump core; what is not allowed fails with
/// EPERM (seccomp(2)), memory that is executable among it. All or an error: the caller must not go on after
/// one.
Result<void> confine(const Confinement& as);

}  // namespace rehearse
