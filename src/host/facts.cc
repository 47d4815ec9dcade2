#include "host/facts.h"

#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>

#include "base/sys.h"

namespace rehearse::host {
namespace {

/// MemAvailable counts what the page cache would give back; sysinfo(2) does not know it.
std::uint64_t available_memory() {
  if (const auto text = sys::read_file("/proc/meminfo", 65536)) {
    const auto at = text->find("MemAvailable:");
    if (at != std::string::npos) return std::strtoull(text->c_str() + at + 13, nullptr, 10) * 1024;
  }
  struct sysinfo info = {};
  ::sysinfo(&info);
  return std::uint64_t{info.freeram} * info.mem_unit;
}

}  // namespace

Result<HostFacts> read_host_facts() {
  HostFacts facts;
  RH_TRY(auto table, read_mounts());
  RH_TRY(const auto self_cgroup, sys::read_file("/proc/self/cgroup"));
  facts.cgroups = find_cgroups(table, self_cgroup);
  const InheritedLimits limits = read_inherited_limits(facts.cgroups, self_cgroup);
  facts.memory_limit_bytes = limits.memory_bytes;
  facts.pids_limit = limits.pids;
  facts.cpu_limit = limits.cpus;
  for (const std::size_t i : visible_mounts(table)) facts.mounts.push_back(std::move(table[i]));
  struct utsname names = {};
  if (::uname(&names) != 0) return sys::last_error("uname");
  facts.hostname = names.nodename;
  facts.kernel_release = names.release;
  if (auto id = sys::read_file("/proc/sys/kernel/random/boot_id", 64))
    facts.boot_id = id->substr(0, id->find('\n'));
  facts.systemd = ::access("/run/systemd/system", F_OK) == 0;
  struct stat socket = {};
  if (facts.systemd && ::lstat("/run/systemd/private", &socket) == 0 && S_ISSOCK(socket.st_mode))
    facts.manager_socket_mode = socket.st_mode & 07777U;
  facts.memory_available_bytes = available_memory();
  return facts;
}

}  // namespace rehearse::host
