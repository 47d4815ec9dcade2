// Where this host keeps its control groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "host/mounts.h"

namespace rehearse::host {

enum class CgroupLayout : std::uint8_t { kNone, kV1, kHybrid, kV2 };

const char* to_string(CgroupLayout layout);

struct Cgroups {
  CgroupLayout layout = CgroupLayout::kNone;
  std::string
      v2_mount;  ///< mount point of a cgroup2 that shows the root of this process's hierarchy; may be empty
  std::string v1_pids;  ///< mount points of v1 hierarchies with that controller; empty if v2 has it
  std::string v1_memory;
  std::string v1_cpu;
  std::string own_v2;  ///< path of this process's cgroup in the v2 hierarchy, "/" for the root
};

/// Pure: from visible mounts and /proc/self/cgroup.
Cgroups find_cgroups(const std::vector<Mount>& mounts, std::string_view self_cgroup);
Result<Cgroups> read_cgroups();

/// The tightest limit that applies to this process already: a run it starts gets no more.
struct InheritedLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::optional<double> cpus;
};
InheritedLimits read_inherited_limits(const Cgroups& cgroups, std::string_view self_cgroup);

}  // namespace rehearse::host
