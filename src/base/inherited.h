// What this process was started with and changes for itself: what it starts for its caller gets it as it was.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace rehearse {

struct Inherited {
  struct rlimit open_files;
  struct rlimit file_size;
  struct rlimit core_size;
  std::uint64_t ignored_signals;  ///< bit n-1: signal n was ignored (nohup, a shell's background jobs)
};

/// As the first call found it: before anything is changed.
const Inherited& inherited();

/// What the caller limits for others must not end rehearse in the middle of its own files: a write past the
/// limit of file size fails (EFBIG) and does not kill, and the limits are raised as far as this process may.
void raise_limits();

}  // namespace rehearse
