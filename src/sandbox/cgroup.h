// The run's control groups: a fresh cgroup2 for placing, freezing and killing, and one in each v1 hierarchy
// whose controller the host keeps there and a limit needs.
//
// A cgroup that saw cgroup.kill kills the next child at birth, so every run gets its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "host/cgroups.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

/// Removes the directory that holds all runs' groups from `hierarchy`, unless a run is there or programs are
/// attached to it: the hooks on socket addresses stay from run to run (trace/programs.h).
/// False: it is still there.
[[nodiscard]] bool remove_parent(int hierarchy);

class RunCgroup {
 public:
  /// Creates the groups and sets the limits. `id` is the run's id.
  static Result<RunCgroup> create(std::string_view id, const Plan& plan, const host::Cgroups& host);
  RunCgroup(RunCgroup&&) = default;
  RunCgroup& operator=(RunCgroup&&) = default;
  RunCgroup(const RunCgroup&) = delete;
  RunCgroup& operator=(const RunCgroup&) = delete;
  ~RunCgroup();

  /// For CLONE_INTO_CGROUP.
  [[nodiscard]] int fd() const { return unified_group_.fd.get(); }
  /// Files where the run's first process joins the v1 groups by writing "0"; the v2 group it is born in.
  /// `tasks`, not `cgroup.procs`: for a thread that moves itself the kernel takes no lock that waits for a
  /// grace period (1 to 10 ms on a busy host).
  [[nodiscard]] Result<std::vector<UniqueFd>> v1_tasks() const;
  /// Host pids in the group.
  [[nodiscard]] Result<std::vector<pid_t>> processes() const;
  Result<void> freeze() const;
  /// Kills everything in it; the write may block while thousands die.
  Result<void> kill() const;

  struct Usage {
    std::int64_t user_ns = 0;
    std::int64_t system_ns = 0;
    std::uint64_t memory_peak_bytes = 0;  ///< 0 if no controller tells
    std::uint64_t memory_oom_kills = 0;
    std::uint64_t pids_refused = 0;  ///< forks that failed at the limit
  };
  [[nodiscard]] Usage usage() const;
  /// How each limit is enforced, for the report.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  /// Default limits that this host has no controller for.
  [[nodiscard]] const std::vector<std::string>& unenforced() const { return unenforced_; }

  /// Removes the groups; they must be empty. Called by the destructor as well.
  void remove();

 private:
  struct Group {
    UniqueFd parent;  ///< .../rehearse
    UniqueFd hierarchy;
    UniqueFd fd;
  };
  RunCgroup() = default;
  Result<void> make_unified(const Plan& plan, const host::Cgroups& host);
  Result<void> make_v1(const Plan& plan, const host::Cgroups& host);
  Result<Group> make_group(UniqueFd hierarchy) const;

  std::string id_;
  Group unified_group_;
  Group pids_;
  Group memory_;
  Group cpu_;
  bool unified_pids_ = false;
  bool unified_memory_ = false;
  bool cpu_set_ = false;
  std::vector<std::string> notes_;
  std::vector<std::string> unenforced_;
};

/// Name of the directory of ours in every hierarchy.
inline constexpr const char* kCgroupParent = "rehearse";

}  // namespace rehearse::sandbox
