// The manager as a process of its own: it parses what the action sends, so all that it can do is read the
// clone and answer (base/confinement.h).
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "base/worker_process.h"
#include "units/host_units.h"

namespace rehearse::units {

/// Borrowed until start() returns.
struct ManagerSetup {
  const HostUnits* host = nullptr;
  int listener = -1;            ///< the socket that clients inside connect to
  int init_pidfd = -1;          ///< of the run's PID 1: whose mounts are the clone
  int mounts = -1;              ///< mount namespace of the clone as it was built: once PID 1 is gone
  std::uint32_t uid_shift = 0;  ///< what the run's user namespace adds to ids
};

class ManagerWorker {
 public:
  /// Forks it; see WorkerProcess. It dies with the calling thread.
  static Result<ManagerWorker> start(const ManagerSetup& setup);

  Result<void> wait_ready() { return process_.wait_ready(); }
  /// The supervisor's end of a stream of messages (worker_message.h).
  [[nodiscard]] int channel() const { return channel_.get(); }
  /// After Topic::kStop: it says what it has not said yet, and ends. An error if it ended otherwise.
  Result<void> finish() { return process_.finish(); }

 private:
  ManagerWorker(WorkerProcess process, UniqueFd channel)
      : process_(std::move(process)), channel_(std::move(channel)) {}

  WorkerProcess process_;
  UniqueFd channel_;
};

}  // namespace rehearse::units
