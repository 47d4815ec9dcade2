// From the action's start to the last process's end: relays its streams, keeps its limits, hears signals.
#pragma once

#include "sandbox/after_run.h"
#include "sandbox/cgroup.h"
#include "sandbox/evidence.h"
#include "sandbox/init/protocol.h"
#include "sandbox/relay.h"
#include "sandbox/write_limit.h"

namespace rehearse::sandbox {

class Recorder;

/// Blocks the signals it hears for its lifetime and restores the mask afterwards. It hears none that this
/// process was started to ignore.
class Signals {
 public:
  static Result<Signals> create();
  Signals(Signals&&) = default;
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  Signals& operator=(Signals&&) = delete;
  ~Signals();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Signals() = default;
  UniqueFd fd_;
  unsigned long saved_[16] = {};
};

struct Supervision {
  const Limits* limits = nullptr;
  int control = -1;  ///< socket to init
  int init_pidfd = -1;
  pid_t init_pid = -1;
  const RunCgroup* cgroup = nullptr;
  Relay* relay = nullptr;
  WriteLimit* writes = nullptr;
  const Signals* signals = nullptr;
  int stop = -1;                 ///< readable: the action is to end now; -1: nobody says so
  Recorder* recorder = nullptr;  ///< may want attention
  AfterAction* after = nullptr;  ///< what is to be run inside when the action has ended, if anything is
};

/// The text for a person of why set-up inside failed.
std::string describe(InitStep step, int error, const Plan& plan);

/// After kGo was sent. Returns when only init is left in the run. An error means that the action never
/// started.
Result<void> supervise(const Plan& plan, const Supervision& run, Evidence& evidence);

}  // namespace rehearse::sandbox
