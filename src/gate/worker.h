// The gate as a process of its own: it parses what the sandbox sends, so it may do nothing else
// (confinement.h).
#pragma once

#include <sys/types.h>

#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "gate/engine.h"

namespace rehearse::gate {

class Worker {
 public:
  /// Forks the process, which takes the setup as it is at this moment and lives as long as the calling
  /// thread. Other threads of the caller may be anywhere but within OpenSSL. `setup.control` is not looked
  /// at.
  static Result<Worker> start(const EngineSetup& setup);
  Worker(Worker&& other) noexcept;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  Worker& operator=(Worker&&) = delete;
  /// Kills it.
  ~Worker();

  /// Waits until it is confined and at work, or says why it is not.
  Result<void> wait_ready();
  /// Lets it end what is left, at most a second's work, and write its log. An error if it ended otherwise or
  /// does not end: the log has no totals then.
  Result<void> finish();

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Worker() = default;
  Result<void> reap(bool kill);

  pid_t pid_ = -1;
  UniqueFd process_;
  UniqueFd control_;  ///< closed: finish
  UniqueFd status_;   ///< readable: it is ready, or says why not
};

}  // namespace rehearse::gate
