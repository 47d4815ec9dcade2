#include "sandbox/leftovers.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "base/sys.h"
#include "host/cgroups.h"
#include "sandbox/cgroup.h"

namespace rehearse::sandbox {
namespace {

constexpr int kAttempts = 250;  // of 20 ms
constexpr int kParentAttempts = 25;

void wait_a_little() {
  const struct timespec pause = {0, 20'000'000};
  ::nanosleep(&pause, nullptr);
}

/// A process number read from a file may be somebody else's by the time it is used: the kernel kills by
/// group.
void kill_group(int group) {
  (void)sys::write_file_at(group, "cgroup.freeze", "0");
  (void)sys::write_file_at(group, "cgroup.kill", "1");
}

Result<void> remove_in(const std::string& mountpoint, const std::string& id) {
  auto hierarchy = sys::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY);
  if (!hierarchy) return {};
  auto parent = sys::open_beneath(hierarchy->get(), kCgroupParent, O_RDONLY | O_DIRECTORY);
  if (!parent) return {};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto group = sys::open_beneath(parent->get(), id.c_str(), O_RDONLY | O_DIRECTORY);
    if (!group) break;  // gone
    kill_group(group->get());
    const auto removed = sys::unlink_at(parent->get(), id.c_str(), AT_REMOVEDIR);
    if (removed || removed.error().err == ENOENT) break;
    if (removed.error().err != EBUSY) return with_context(removed.error(), "cgroup of run " + id);
    if (attempt + 1 == kAttempts)
      return with_context(removed.error(), "cgroup of run " + id + " does not empty");
    wait_a_little();
  }
  (void)remove_parent(hierarchy->get());
  return {};
}

Result<std::vector<std::string>> hierarchies() {
  RH_TRY(const auto host, host::read_cgroups());
  std::vector<std::string> mounts = {host.v2_mount, host.v1_pids, host.v1_memory, host.v1_cpu};
  std::erase(mounts, "");
  return mounts;
}

}  // namespace

Result<void> remove_leftovers(std::string_view id) {
  RH_TRY(const auto mounts, hierarchies());
  for (const std::string& mountpoint : mounts) RH_CHECK(remove_in(mountpoint, std::string(id)));
  return {};
}

Result<void> remove_parents() {
  RH_TRY(const auto mounts, hierarchies());
  for (const std::string& mountpoint : mounts) {
    const auto hierarchy = sys::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY);
    // Programs whose pins are gone are detached a moment later.
    for (int attempt = 0; hierarchy && !remove_parent(hierarchy->get()) && attempt < kParentAttempts;
         ++attempt)
      wait_a_little();
  }
  return {};
}

}  // namespace rehearse::sandbox
