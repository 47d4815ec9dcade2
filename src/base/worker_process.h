// A process of rehearse's own that does one job for it and has none of its rights (confinement.h).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse {

/// Memory, in whole pages.
struct Pages {
  void* begin = nullptr;
  std::size_t size = 0;
};

class WorkerProcess {
 public:
  /// To be called by the worker when it is confined: what comes in from then on cannot hurt.
  using Ready = std::function<Result<void>()>;
  /// What the worker does. `status` is a descriptor that it has to keep.
  using Work = std::function<Result<void>(int status, const Ready& ready)>;

  /// Forks it; it takes this process's memory as it is at this moment and does not return from here. Other
  /// threads may be anywhere but within OpenSSL, and start others meanwhile. `name`: "the gate's worker", for
  /// messages. `own`: what only this one gets, being kept from every other (keep_from_workers).
  static Result<WorkerProcess> start(std::string name, const Work& work, Pages own = {});
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  /// Kills it.
  ~WorkerProcess();

  /// Waits until it is at work, or says why it is not.
  Result<void> wait_ready();
  /// It has been told to end. An error if it ended otherwise, or does not end: it is killed then.
  Result<void> finish();

  /// No worker gets these pages, unless it is started with them.
  static Result<void> keep_from_workers(Pages pages);

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  explicit WorkerProcess(std::string name) : name_(std::move(name)) {}
  Result<void> reap(bool kill);

  std::string name_;
  pid_t pid_ = -1;
  UniqueFd process_;
  UniqueFd status_;  ///< readable: it is ready, or says why not
};

}  // namespace rehearse
