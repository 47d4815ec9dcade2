// One program that PID 1 of a sandbox starts: the action, a tool or a probe.
#pragma once

#include "sandbox/init/protocol.h"

namespace rehearse::sandbox {

/// What a process is to execute, as what, and what came in the way.
struct Start {
  int fds[3];
  InitStep step;
  long error;
  bool terminal;
  unsigned uid, gid, umask, group_count;
  const unsigned* groups;
  std::uint64_t ignored_signals;  ///< bit n-1: signal n; all others are as a fresh process has them
  const char* cwd;
  const std::uint64_t* candidates;  ///< pointers to paths
  unsigned candidate_count;
  const void* argv;
  const void* envp;
  bool room_for_shell;  ///< the word before `argv` is free, and `argv` is not needed again
};

/// The action itself, as the configuration has it; without descriptors.
Start action_start();

/// Its process id, or a negative errno of clone(2). With `start.step` set it came to no execve and is to be
/// reaped all the same. Returns when it has executed (CLONE_VFORK).
long spawn(Start& start);

}  // namespace rehearse::sandbox
