// Puts the mount tree of a run together and makes it the root of the builder's mount namespace.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/child.h"
#include "sandbox/layer_builder.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

/// Filesystems of the run's own that belong to no host mount. Made with shifted filesystem ids.
struct PrivateFilesystems {
  UniqueFd dev;  ///< tmpfs with the few devices every program expects
  UniqueFd shm;
  UniqueFd devpts;
  UniqueFd empty;  ///< read-only tmpfs with an empty directory "dir", an empty file "file", perhaps "manager"
  UniqueFd manager;  ///< listens at "manager", if the plan has a service manager
};

/// `shift` is added to the ids that own what is made.
Result<PrivateFilesystems> make_private_filesystems(const Plan& plan, std::uint32_t shift);

/// Attaches everything in the order of the plan below `stage`/root and pivots into it: afterwards / of the
/// calling thread, and of every process in this mount namespace, is the run's root, and nothing else is
/// mounted.
Result<void> assemble_tree(const Plan& plan, LayerBuilder& layers, PrivateFilesystems& own,
                           KernelFilesystems& kernel, int stage);

/// A terminal pair from the run's own devpts, so that ttyname(3) inside is right; who the action runs as owns
/// it, as a login would have it.
struct TerminalPair {
  UniqueFd master;
  UniqueFd slave;
};
Result<TerminalPair> open_terminal(const Plan& plan, int devpts, std::uint32_t shift);

}  // namespace rehearse::sandbox
