// Clean-up after a run whose supervisor died (SIGKILL, OOM): what it could leave is cgroups with processes in
// them. Mounts and namespaces live and die with the run's processes.
#pragma once

#include <string_view>

#include "base/result.h"

namespace rehearse::sandbox {

/// Kills whatever still runs in the cgroups of run `id` (cgroup.kill on v2) and removes them, in every
/// hierarchy. Idempotent; succeeds when nothing is there. Call only when the run's lock is free.
Result<void> remove_leftovers(std::string_view id);

/// Removes the directories that hold all runs' groups, where nothing needs them any more.
Result<void> remove_parents();

}  // namespace rehearse::sandbox
