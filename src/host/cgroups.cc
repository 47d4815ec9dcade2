#include "host/cgroups.h"

#include <algorithm>
#include <cstdlib>

#include "base/sys.h"

namespace rehearse::host {
namespace {

/// The path of this process's group in the hierarchy whose controller list contains `controller` ("" for v2).
std::string own_path(std::string_view self_cgroup, std::string_view controller) {
  while (!self_cgroup.empty()) {
    const std::size_t end = std::min(self_cgroup.find('\n'), self_cgroup.size());
    std::string_view line = self_cgroup.substr(0, end);
    self_cgroup.remove_prefix(std::min(end + 1, self_cgroup.size()));
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string list = ',' + std::string(line.substr(first + 1, second - first - 1)) + ',';
    const bool match = controller.empty()
                           ? list == ",,"
                           : list.find(',' + std::string(controller) + ',') != std::string::npos;
    if (match) return std::string(line.substr(second + 1));
  }
  return {};
}

/// The smallest limit that `read` finds in a directory from the process's group up to the root's children.
template <class Read>
auto tightest(const std::string& mountpoint, std::string path, const Read& read) {
  decltype(read(path)) limit;
  while (!mountpoint.empty() && !path.empty() && path.front() == '/' && path != "/") {
    if (const auto found = read(mountpoint + path + '/')) limit = std::min(limit.value_or(*found), *found);
    path.resize(path.rfind('/'));
  }
  return limit;
}

/// The number in `file`; "max", v1's near-infinity and v1's -1 are no limit.
std::optional<std::uint64_t> limit_in(const std::string& file) {
  const auto text = sys::read_file(file.c_str(), 4096);
  if (!text) return std::nullopt;
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text->c_str(), &end, 10);
  if (end == text->c_str() || value >= (1ULL << 60U)) return std::nullopt;
  return value;
}

/// Quota divided by period, both in microseconds.
std::optional<double> cpus_of(std::optional<std::uint64_t> quota, std::optional<std::uint64_t> period) {
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

/// "QUOTA PERIOD" of cgroup v2; QUOTA may be "max".
std::optional<double> cpu_max_in(const std::string& directory) {
  const auto text = sys::read_file((directory + "cpu.max").c_str(), 4096);
  if (!text) return std::nullopt;
  char* end = nullptr;
  const unsigned long long quota = std::strtoull(text->c_str(), &end, 10);
  if (end == text->c_str()) return std::nullopt;
  return cpus_of(quota, std::strtoull(end, nullptr, 10));
}

}  // namespace

const char* to_string(CgroupLayout layout) {
  switch (layout) {
    case CgroupLayout::kNone:
      return "none mounted";
    case CgroupLayout::kV1:
      return "v1";
    case CgroupLayout::kHybrid:
      return "hybrid (v1 controllers, v2 hierarchy)";
    case CgroupLayout::kV2:
      return "v2";
  }
  return "?";
}

Cgroups find_cgroups(const std::vector<Mount>& mounts, std::string_view self_cgroup) {
  Cgroups cgroups;
  bool v1 = false;
  for (const Mount& mount : mounts) {
    // Only mounts that show their hierarchy's top: in a container "/../.." marks what lies outside.
    if (mount.fstype == "cgroup2" && cgroups.v2_mount.empty() && mount.root == "/")
      cgroups.v2_mount = mount.mountpoint;
    if (mount.fstype != "cgroup" || mount.root != "/") continue;
    v1 = true;
    if (cgroups.v1_pids.empty() && mount.has_super_option("pids")) cgroups.v1_pids = mount.mountpoint;
    if (cgroups.v1_memory.empty() && mount.has_super_option("memory")) cgroups.v1_memory = mount.mountpoint;
    if (cgroups.v1_cpu.empty() && mount.has_super_option("cpu")) cgroups.v1_cpu = mount.mountpoint;
  }
  const bool v2 = !cgroups.v2_mount.empty();
  cgroups.layout =
      v1 ? (v2 ? CgroupLayout::kHybrid : CgroupLayout::kV1) : (v2 ? CgroupLayout::kV2 : CgroupLayout::kNone);
  cgroups.own_v2 = own_path(self_cgroup, "");
  return cgroups;
}

Result<Cgroups> read_cgroups() {
  RH_TRY(const auto mounts, read_mounts());
  RH_TRY(const auto self_cgroup, sys::read_file("/proc/self/cgroup"));
  return find_cgroups(mounts, self_cgroup);
}

InheritedLimits read_inherited_limits(const Cgroups& cgroups, std::string_view self_cgroup) {
  InheritedLimits limits;
  const auto number = [](const char* file) {
    return [file](const std::string& directory) { return limit_in(directory + file); };
  };
  limits.memory_bytes = tightest(cgroups.v2_mount, cgroups.own_v2, number("memory.max"));
  limits.pids = tightest(cgroups.v2_mount, cgroups.own_v2, number("pids.max"));
  limits.cpus = tightest(cgroups.v2_mount, cgroups.own_v2, cpu_max_in);
  if (!limits.memory_bytes)
    limits.memory_bytes =
        tightest(cgroups.v1_memory, own_path(self_cgroup, "memory"), number("memory.limit_in_bytes"));
  if (!limits.pids)
    limits.pids = tightest(cgroups.v1_pids, own_path(self_cgroup, "pids"), number("pids.max"));
  if (!limits.cpus)
    limits.cpus = tightest(cgroups.v1_cpu, own_path(self_cgroup, "cpu"), [](const std::string& directory) {
      return cpus_of(limit_in(directory + "cpu.cfs_quota_us"), limit_in(directory + "cpu.cfs_period_us"));
    });
  return limits;
}

}  // namespace rehearse::host
