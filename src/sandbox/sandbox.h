// One rehearsal from plan to evidence.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "host/facts.h"
#include "sandbox/after_run.h"
#include "sandbox/evidence.h"
#include "sandbox/plan.h"
#include "sandbox/relay.h"

namespace rehearse::sandbox {

/// Records what happens in the run, and serves its network.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// The run's control group stands and nothing is in it yet. `cgroup`: its directory, borrowed; -1 without a
  /// cgroup2 hierarchy.
  virtual Result<void> begin(int cgroup) = 0;

  /// The recorder's way into the run's network.
  class Entry {
   public:
    virtual ~Entry() = default;
    /// Waits until the network is served. Nothing of the action has begun.
    virtual Result<void> finish() = 0;
  };
  /// The run's network namespace stands. What is to be done in it goes on while the sandbox is built.
  virtual Result<std::unique_ptr<Entry>> enter(UniqueFd network) = 0;

  /// While the action runs: readable when attend() is to be called; -1: it need not be.
  [[nodiscard]] virtual int attention() const { return -1; }
  virtual void attend() {}
};

/// Answers inside in place of the host's service manager.
class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  /// The run's namespaces stand and nothing of the action has begun. `listener`: the socket at
  /// kManagerSocket; `init`: pidfd of PID 1, whose mounts are the clone's; `mounts`: the mount namespace as
  /// it was built, which outlives init; `tools`: takes a ToolRequest at a time (init/protocol.h).
  virtual Result<void> begin(UniqueFd listener, UniqueFd init, UniqueFd mounts, UniqueFd tools) = 0;
};

/// Something that takes a while and has nothing to do with the sandbox, done on a thread of its own.
class Meanwhile {
 public:
  virtual ~Meanwhile() = default;
  /// When what has to be forked has been.
  virtual void start() = 0;
  /// Waits for it. An error ends the run before anything of the action has begun.
  virtual Result<void> finish() = 0;
};

struct Surroundings {
  std::string_view id;  ///< of the run
  int bundle = -1;      ///< the run's directory; borrowed
  int base = -1;        ///< directory of a run that has ended, whose changes are shown; borrowed
  Streams streams;
  const host::HostFacts* facts = nullptr;
  Recorder* recorder = nullptr;       ///< none: nothing is recorded
  ServiceManager* manager = nullptr;  ///< must be there if the plan says that one answers
  Meanwhile* meanwhile = nullptr;     ///< done while the sandbox is built
  int stop = -1;                      ///< readable: the action is to end now; borrowed
  AfterAction* after = nullptr;       ///< what is to be run inside when the action has ended
};

/// What remains of the sandbox after the action: nothing of the action runs any more, the layers are still.
/// Destruction waits for the namespaces to be gone and removes the cgroups.
class Remains {
 public:
  virtual ~Remains() = default;
};

struct Rehearsal {
  Evidence evidence;
  std::unique_ptr<Remains> remains;
};

/// Builds the sandbox, runs the action in it, waits for its end. An error means that the action never ran;
/// nothing is left behind then. Installs handlers for SIGINT, SIGTERM, SIGHUP and SIGWINCH while it runs;
/// changes the calling thread's mount namespace and filesystem ids while it builds, and restores both.
Result<Rehearsal> rehearse_action(const Plan& plan, const Surroundings& around);

}  // namespace rehearse::sandbox
