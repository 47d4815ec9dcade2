// The gate as a process of its own: it parses what the sandbox sends, so it may do nothing else
// (base/confinement.h).
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "base/worker_process.h"
#include "gate/engine.h"

namespace rehearse::gate {

class Worker {
 public:
  /// Forks the process, which takes the setup as it is at this moment and lives as long as the calling
  /// thread. Other threads of the caller may be anywhere but within OpenSSL. `setup.control` is not looked
  /// at; `setup.kernel` has been kept from workers, and is this one's.
  static Result<Worker> start(const EngineSetup& setup);

  /// Hands the sockets over (the caller may close its own) and waits until it serves them, confined; or says
  /// why it does not.
  Result<void> serve(const RunSockets& sockets);
  /// Tells it to end what is left, at most a second's work, and to write its log.
  void end() { control_.reset(); }
  /// end(), and waits. An error if it ended otherwise or does not end: the log has no totals then.
  Result<void> finish();

  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  Worker(WorkerProcess process, UniqueFd control)
      : process_(std::move(process)), control_(std::move(control)) {}

  WorkerProcess process_;
  UniqueFd control_;  ///< a socket, for the run's sockets; closed: finish
};

}  // namespace rehearse::gate
