// Code that runs in a process made by clone that still shares this one's memory: raw system calls only, no
// allocation, no locks, no errno, no logging. Failures come back as {step, errno}. One file, so that this is
// easy to check.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/own_settings.h"

namespace rehearse::sandbox {

struct InitStart {
  int image = -1;                  ///< sealed memfd of the init program
  int control = -1;                ///< init's end of the control socket
  int control_ours = -1;           ///< the supervisor's end, closed in the child
  int config = -1;                 ///< memfd with InitConfig
  int tools = -1;                  ///< init's end of the socket for ToolRequests, if there is one
  int v1_tasks[3] = {-1, -1, -1};  ///< tasks files of the v1 groups that it joins by itself
  int cgroup = -1;                 ///< directory of the run's cgroup2
  bool user_namespace = true;
};

struct InitProcess {
  pid_t pid = -1;
  UniqueFd pidfd;
};

/// Clones PID 1 of the run into its cgroup and namespaces (all but mount and cgroup, which init unshares
/// itself). The child waits for InitCommand::kMapped, becomes root of its user namespace and executes the
/// image.
Result<InitProcess> start_init(const InitStart& start);

/// Filesystems that belong to the run's pid, network and ipc namespaces: only a process inside those can
/// mount them, and only one privileged outside may attach them where the run cannot remove them.
struct KernelFilesystems {
  UniqueFd proc;
  UniqueFd sysfs;  ///< read-only
  UniqueFd mqueue;
};
/// Sets those of `settings` there that differ from the host's. `root`: on the host, of the run's user
/// namespace.
Result<KernelFilesystems> mount_kernel_filesystems(int init_pidfd, std::uint32_t root, OwnSettings& settings);

/// A process of its own that makes `directory`'s filesystem durable, makes the empty file `mark` in it and
/// ends. It outlives this process, holds its copy of every descriptor (and so the run's lock), and lets go of
/// the standard streams at once. fork(2) would cost a tenth of a whole small run. Call once.
Result<void> start_freezer(int directory, const char* mark);

}  // namespace rehearse::sandbox
