// What the plan needs to know about this host. Cheap: read at every run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/cgroups.h"
#include "host/mounts.h"

namespace rehearse::host {

struct HostFacts {
  std::vector<Mount> mounts;  ///< those a path walk can reach, parents before children
  Cgroups cgroups;
  std::string hostname;
  std::string kernel_release;
  std::string boot_id;
  bool systemd = false;  ///< a systemd manager runs: /run/systemd/system exists (sd_booted(3))
  std::optional<std::uint32_t> manager_socket_mode;  ///< of /run/systemd/private, if that is a socket
  std::uint64_t memory_available_bytes = 0;
  std::optional<std::uint64_t> memory_limit_bytes;  ///< of the cgroup that rehearse itself is in
  std::optional<std::uint64_t> pids_limit;
  std::optional<double> cpu_limit;  ///< in CPUs
};

Result<HostFacts> read_host_facts();

}  // namespace rehearse::host
