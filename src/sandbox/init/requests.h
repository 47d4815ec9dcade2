// What PID 1 of a sandbox starts when it is asked to: tools for the service manager's stand-in while the
// action runs, probes of the supervisor's when it has ended. One of each at a time.
#pragma once

#include "sandbox/init/protocol.h"

namespace rehearse::sandbox {

/// The program of rehearse's own that runs, if one does.
struct Tool {
  long pid = 0;
  long until_s = 0;  ///< of CLOCK_MONOTONIC

  /// Takes one request from kInitToolsFd and starts it.
  void run();
  /// Kills it, with its process group, when its time is over. It is reaped as usual.
  void kill_if_late() const;
  /// Answers it: `error` is an errno, `status` that of wait(2).
  void end(int error, int status);
};

/// The program that the supervisor has run inside when the action has ended.
struct Probe {
  long pid = 0;

  void stop() const;
  /// Answers the request that started it.
  void end(InitStep step, long error, int status);

 private:
  friend void hear_supervisor(Probe& probe);
  /// `size` bytes of a request, with descriptors.
  void run(long size, const int fds[3]);
};

/// What the supervisor says while the action runs, and after: quit, stop the probe, run one.
void hear_supervisor(Probe& probe);

}  // namespace rehearse::sandbox
