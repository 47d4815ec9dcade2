#include "rehearsal/view_gaps.h"

#include <dirent.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/sys.h"
#include "rehearsal/script_tools.h"
#include "rehearsal/some.h"

namespace rehearse {
namespace {

using trace::OwnLook;
using trace::View;

/// Patterns of fnmatch(3): what is looked at, and by which program, by name.
struct Habit {
  View view;
  const char* at;
  const char* program;
  bool shown = false;  ///< it is what the program prints: by habit only where no other program acts on it
};
constexpr bool kShown = true;
constexpr Habit kHabits[] = {
    // getaddrinfo(3): whether there are addresses of a family at all.
    {View::kNetwork, "addresses", "*"},
    // sudoers(5) may name networks; mail servers and name servers look what they listen on.
    {View::kNetwork, "interfaces", "sudo"},
    {View::kNetwork, "interfaces", "visudo"},
    {View::kNetwork, "interfaces", "post*"},
    {View::kNetwork, "interfaces", "named*"},
    {View::kNetwork, "interfaces", "java"},
    // listen(2) of Go's library.
    {View::kNetwork, "/proc/sys/net/core/somaxconn", "*"},
    {View::kNetwork, "*", "systemd*"},
    {View::kNetwork, "*", "systemctl"},
    {View::kNetwork, "*", "udevadm"},
    // Which sockets are whose; that these show the run's own is said of the attempt.
    {View::kSockets, "*", "ss", kShown},
    {View::kSockets, "*", "netstat", kShown},
    {View::kSockets, "*", "lsof", kShown},
    {View::kSockets, "*", "fuser", kShown},
    // Free space is listed by mount.
    {View::kMounts, "*", "df"},
    {View::kMounts, "devices", "df", kShown},
    {View::kKind, "*", "df", kShown},
    {View::kMounts, "*", "lsof"},
    {View::kMounts, "*", "fuser"},
    // What is mounted may not be mounted again, formatted, checked or taken away.
    {View::kMounts, "*", "umount"},
    {View::kMounts, "*", "mkfs*"},
    {View::kMounts, "*", "mke2fs"},
    {View::kMounts, "*", "fsck*"},
    {View::kMounts, "*", "e2fsck"},
    {View::kMounts, "*", "resize2fs"},
    {View::kMounts, "*", "tune2fs"},
    {View::kMounts, "*", "mkswap"},
    {View::kMounts, "*", "swap*"},
    {View::kMounts, "*", "losetup"},
    {View::kMounts, "*", "blkid"},
    {View::kMounts, "*", "lsblk", kShown},
    {View::kMounts, "*", "*lvm*"},
    {View::kMounts, "*", "cryptsetup"},
    {View::kMounts, "*", "grub-*"},
    // Where the control groups are; whether it is a chroot or a container.
    {View::kMounts, "*", "systemd*"},
    {View::kMounts, "*", "systemctl"},
    {View::kMounts, "*", "journalctl"},
    {View::kMounts, "*", "udevadm"},
    {View::kMounts, "*", "ischroot"},
    {View::kMounts, "*", "java"},
    {View::kMounts, "*", "node"},
    {View::kMounts, "*", "docker*"},
    {View::kMounts, "*", "containerd*"},
    {View::kMounts, "*", "runc"},
    {View::kMounts, "*", "crun"},
    {View::kMounts, "*", "podman"},
    // apt(8) looks for mounted CDs, and whether it is run in a container.
    {View::kMounts, "*", "apt*"},
    {View::kMounts, "*", "dpkg*"},
    {View::kMounts, "*", "snap*"},
    // All processes, to show them or whose something is; that these see the run's own is said of the attempt.
    {View::kListing, "/proc", "ps", kShown},
    {View::kListing, "/proc", "pstree*", kShown},
    {View::kListing, "/proc", "top", kShown},
    {View::kListing, "/proc", "w", kShown},
    {View::kListing, "/proc", "lsof", kShown},
    {View::kListing, "/proc", "ss", kShown},
    {View::kListing, "/proc", "netstat", kShown},
    {View::kListing, "/proc", "lsns", kShown},
    {View::kListing, "/proc", "lslocks", kShown},
    // All settings of the kernel.
    {View::kListing, "/proc/sys/*", "sysctl", kShown},
    // Disks and their parts.
    {View::kListing, "/dev", "lsblk", kShown},
    {View::kListing, "/dev", "blkid", kShown},
    {View::kListing, "/dev", "*fdisk", kShown},
    {View::kListing, "/dev", "parted", kShown},
    {View::kListing, "/dev", "*lvm*"},
    {View::kListing, "/dev", "mdadm"},
    {View::kListing, "/dev", "grub-*"},
    {View::kListing, "*", "udevadm"},
    {View::kListing, "*", "systemd*"},
    {View::kListing, "*", "systemctl"},
    {View::kListing, "/sys/fs/cgroup*", "java"},
    {View::kListing, "/sys/fs/cgroup*", "runc"},
    {View::kListing, "/sys/fs/cgroup*", "docker*"},
    {View::kListing, "/sys/fs/cgroup*", "containerd*"},
    // Whether it could do more than it was asked for.
    {View::kPermission, "*", "systemd*"},
    {View::kPermission, "*", "systemctl"},
    {View::kPermission, "*", "udevadm"},
    // Whether this is a container; who started it.
    {View::kInit, "*", "systemd*"},
    {View::kInit, "*", "systemctl"},
    {View::kInit, "*", "journalctl"},
    {View::kInit, "*", "udevadm"},
    {View::kInit, "*", "lsof"},
    {View::kLocks, "*", "lslocks", kShown},
};

std::string_view heading(View view) {
  switch (view) {
    case View::kNetwork:
      return "network configuration of this host";
    case View::kSockets:
      return "sockets of this host";
    case View::kMounts:
      return "mount table of this host";
    case View::kKind:
      return "kinds of this host's filesystems";
    case View::kListing:
      return "listed, and other things lie there on this host";
    case View::kPermission:
      return "asked for leave to write, which root of this host has";
    case View::kProcesses:
      return "processes of this host looked for";
    case View::kInit:
      return "process 1 of this host";
    case View::kLimits:
      return "control group and limits of this host's processes";
    case View::kSettings:
      return "settings of this host's kernel";
    case View::kLocks:
      return "locks of files on this host";
    case View::kRights:
      return "capabilities of this host's root";
    case View::kDevices:
      return "device numbers of this host";
  }
  return "";
}

std::string_view reason(View view) {
  switch (view) {
    case View::kNetwork:
      return "the run has a network of its own, with a loopback and settings of its own: that is what was "
             "shown; --network-mirror shows the host's interfaces, addresses and routes";
    case View::kSockets:
      return "those of the run were shown";
    case View::kMounts:
      return "the clone is made of layers: devices, kinds and options of its mounts are others";
    case View::kKind:
      return "a layer is an overlay, and says so";
    case View::kListing:
      return "the run has such a place of its own";
    case View::kPermission:
      return "inside nobody may";
    case View::kProcesses:
      return "inside there are the run's alone: what runs on the host is not found";
    case View::kInit:
      return "inside it is rehearse's own";
    case View::kLimits:
      return "the run has a control group of its own, and sees it as the root of the tree";
    case View::kSettings:
      return "the namespaces of the run have some of their own, and another value is there on this host";
    case View::kLocks:
      return "those of the run were shown";
    case View::kRights:
      return "the run has fewer";
    case View::kDevices:
      return "a layer has a device number of its own, another in each run";
  }
  return "";
}

/// What programs do: ask for a purpose of the action's, print it, or neither.
enum class Custom : std::uint8_t { kPurpose, kShown, kHabit };

Custom custom_of(const OwnLook& look) {
  // Runtimes of languages ask how much memory and how many processors they may use, pam_limits for the limits
  // that it sets where nothing else is said.
  const bool limits = look.view == View::kLimits || look.at == "/proc/1/limits";
  if (limits) return is_script_tool(look.program) ? Custom::kPurpose : Custom::kHabit;
  const std::string program = look.program.substr(look.program.rfind('/') + 1);
  Custom custom = Custom::kPurpose;
  for (const Habit& habit : kHabits) {
    if (habit.view != look.view || ::fnmatch(habit.at, look.at.c_str(), 0) != 0 ||
        ::fnmatch(habit.program, program.c_str(), 0) != 0)
      continue;
    if (habit.shown) return Custom::kShown;
    custom = Custom::kHabit;
  }
  return custom;
}

}  // namespace

bool hides_something(const OwnLook& look, const HostRoot& host) {
  // Of the others the kernel always has more for the host.
  constexpr std::string_view kEmpty[] = {"/dev/shm", "/dev/mqueue"};
  constexpr std::string_view kLoopback[] = {"/sys/class/net", "/sys/devices/virtual/net"};
  const bool empty = std::ranges::find(kEmpty, look.at) != std::end(kEmpty);
  const bool loopback = std::ranges::find(kLoopback, look.at) != std::end(kLoopback);
  if (look.view != View::kListing || (!empty && !loopback)) return true;
  const auto found = host.find(look.at);
  if (!found) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(sys::fd_path(found->get()).c_str()),
                                                      ::closedir);
  if (!directory) return true;  // not known: the worse
  while (const struct dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && (empty || name != "lo")) return true;
  }
  return false;
}

bool is_looked_at_by_habit(const OwnLook& look) {
  const Custom custom = custom_of(look);
  return custom == Custom::kHabit || (custom == Custom::kShown && look.reader.empty());
}

std::vector<verdict::Gap> view_gaps(const std::set<OwnLook>& looks, bool mirrored) {
  std::map<std::pair<View, bool>, std::set<std::string>> seen;
  for (const OwnLook& look : looks) {
    if (look.view == View::kNetwork && mirrored) continue;
    const std::string program = look.program.substr(look.program.rfind('/') + 1);
    // Of others who reads it makes no difference.
    const bool read = custom_of(look) == Custom::kShown && !look.reader.empty();
    const std::string reader = read ? ", read by " + look.reader : "";
    seen[{look.view, is_looked_at_by_habit(look)}].insert(fmt::format("{} ({}{})", look.at, program, reader));
  }
  std::vector<verdict::Gap> gaps;
  gaps.reserve(seen.size());
  for (const auto& [kind, what] : seen)
    gaps.push_back({fmt::format("{}: {}", heading(kind.first), some(what)), std::string(reason(kind.first)),
                    kind.second ? verdict::Level::kGreen : verdict::Level::kYellow});
  return gaps;
}

}  // namespace rehearse
