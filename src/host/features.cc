#include "host/features.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/quota.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <functional>

#include "base/sys.h"
#include "base/units.h"

namespace rehearse::host {
namespace {

/// Runs `body` in a child; its result is an errno, 0 for success. -1: it died or took more than five seconds.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  if (child < 0) return errno;
  for (int i = 0; i < 500; ++i) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    struct timespec pause = {0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return -1;
}

template <class T>
int error_of(const Result<T>& result) {
  return result ? 0 : result.error().err != 0 ? result.error().err : EIO;
}

std::string reason(int error) {
  return error < 0 ? "the probe did not end" : strerrordesc_np(error);
}

/// A user namespace with the shifted map, held open by a descriptor.
Result<UniqueFd> make_user_namespace() {
  RH_TRY(auto gate, sys::pipe(0));
  const pid_t child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  if (child < 0) return sys::last_error("clone CLONE_NEWUSER");
  if (child == 0) {
    gate.write.reset();
    char byte = 0;
    (void)!::read(gate.read.get(), &byte, 1);
    ::_exit(0);
  }
  const std::string directory = "/proc/" + std::to_string(child);
  auto mapped = sys::write_file_at(AT_FDCWD, (directory + "/uid_map").c_str(), "0 2147483648 65536\n");
  if (mapped) mapped = sys::write_file_at(AT_FDCWD, (directory + "/gid_map").c_str(), "0 2147483648 65536\n");
  auto fd = sys::open((directory + "/ns/user").c_str(), O_RDONLY);
  gate.write.reset();
  ::waitpid(child, nullptr, 0);
  RH_CHECK(mapped);
  return fd;
}

/// Tries what a layer over `path` needs first: an idmapped clone of its mount. (Whether overlayfs takes the
/// filesystem as a lower shows when a run mounts it.)
int try_idmap(const std::string& path) {
  return in_child([&] {
    auto userns = make_user_namespace();
    if (!userns) return error_of(userns);
    if (auto done = sys::unshare(CLONE_NEWNS); !done) return error_of(done);
    if (auto done = sys::make_private_recursive(); !done) return error_of(done);
    auto clone = sys::clone_mount(AT_FDCWD, path.c_str());
    if (!clone) return error_of(clone);
    return error_of(sys::set_mount_attributes(clone->get(), MOUNT_ATTR_NODEV, 0, userns->get()));
  });
}

/// 0 if the filesystem of `path` counts by project (quotactl_fd(2), 5.14).
int project_quota(const std::string& path) {
  auto directory = sys::open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!directory) return error_of(directory);
  struct if_dqinfo info = {};
  constexpr int kProjectQuota = 2;
  constexpr long kQuotactlFd = 443;
  const unsigned command = (static_cast<unsigned>(Q_GETINFO) << 8U) | kProjectQuota;
  return ::syscall(kQuotactlFd, directory->get(), command, 0, &info) == 0 ? 0 : ENOTSUP;
}

/// "none", "integrity" or "confidentiality" (kernel_lockdown.7). Nothing that rehearse uses needs it off.
std::string lockdown_mode() {
  constexpr const char* kUnknown = "not known";
  const auto context = sys::fs_open("securityfs");
  if (!context || !sys::fs_create(context->get())) return kUnknown;
  const auto mount = sys::fs_mount(context->get(), 0);
  if (!mount) return kUnknown;
  const auto modes = sys::read_file_at(mount->get(), "lockdown", 4096);  // the one in force is bracketed
  if (!modes) return "not built in";
  const auto open = modes->find('[');
  const auto close = modes->find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return kUnknown;
  return modes->substr(open + 1, close - open - 1);
}

class Prober {
 public:
  Prober(const HostFacts& facts, const std::string& state_dir) : facts_(facts), state_dir_(state_dir) {}

  std::vector<Check> probe() {
    kernel();
    capabilities();
    namespaces();
    mounts();
    cgroups();
    tracing();
    state();
    return std::move(checks_);
  }

 private:
  void add(const char* id, const char* group, int error, const std::string& what, const char* meaning,
           const char* fix, bool required) {
    Check check{id, group, Status::kOk, what, "", "", required};
    if (error != 0) {
      check.status = required ? Status::kMissing : Status::kDegraded;
      check.what += ": " + reason(error);
      check.meaning = meaning;
      check.fix = fix;
    }
    checks_.push_back(std::move(check));
  }

  void kernel() {
    add("kernel.release", "Kernel", 0, "Linux " + facts_.kernel_release, "", "", false);
    add("kernel.lockdown", "Kernel", 0, "lockdown: " + lockdown_mode(), "", "", false);
  }

  void capabilities() {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {};
    ::syscall(SYS_capget, &header, data);
    const auto has = [&](unsigned capability) {
      return (data[capability / 32].effective >> capability % 32 & 1U) != 0;
    };
    for (const auto& [number, name] : {std::pair{CAP_SYS_ADMIN, "sys_admin"},
                                       {CAP_SETUID, "setuid"},
                                       {CAP_SETGID, "setgid"},
                                       {CAP_MKNOD, "mknod"},
                                       {CAP_DAC_OVERRIDE, "dac_override"},
                                       {CAP_CHOWN, "chown"},
                                       {CAP_SYS_CHROOT, "sys_chroot"}}) {
      if (has(static_cast<unsigned>(number))) continue;
      add("identity.capability", "Identity", EPERM, std::string("capability ") + name,
          "the sandbox cannot be built without it",
          "run rehearse as root on the host itself, or give the container this capability", true);
    }
    add("identity.root", "Identity", 0, "root with the capabilities that building a sandbox takes", "", "",
        true);
    if (!has(CAP_SYS_RESOURCE)) {
      add("identity.resource", "Identity", EPERM, "capability sys_resource",
          "limits of this process cannot be raised", "usually nothing: only very many mounts need it", false);
    }
  }

  void namespaces() {
    const int user = in_child([] { return error_of(make_user_namespace()); });
    add("namespaces.user", "Namespaces", user, "user namespace with shifted ids",
        "the default profile cannot be built",
        "raise user.max_user_namespaces; allow user namespaces for root", true);
    const int all = in_child([] {
      return error_of(sys::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                                   CLONE_NEWCGROUP));
    });
    add("namespaces.all", "Namespaces", all, "mount, pid, net, ipc, uts and cgroup namespaces",
        "the sandbox cannot be built", "use a kernel with all namespaces", true);
    const int filter = in_child([] {
      return ::prctl(PR_GET_SECCOMP) >= 0 && (::syscall(SYS_seccomp, 2, 0, "\x00\x00\x05\x00") == 0 ||
                                              errno == EOPNOTSUPP || errno == EFAULT || errno == EINVAL)
                 ? 0
                 : errno;
    });
    add("namespaces.seccomp", "Namespaces", filter, "system call filters",
        "dangerous calls cannot be refused", "use a kernel with CONFIG_SECCOMP_FILTER", true);
  }

  void mounts() {
    const int api = in_child([] { return error_of(sys::fs_open("overlay")); });
    add("filesystems.overlay", "Filesystems", api, "overlayfs through the new mount API",
        "no layer can be made", "modprobe overlay; Linux 6.1 or newer", true);
    for (const Mount& mount : facts_.mounts) {
      const bool kernel = mount.mountpoint.starts_with("/proc") || mount.mountpoint.starts_with("/sys") ||
                          mount.mountpoint.starts_with("/dev");
      if (kernel) continue;
      const bool root = mount.mountpoint == "/";
      const int error = try_idmap(mount.mountpoint);
      add("filesystems.mount", "Filesystems", error,
          mount.mountpoint + " (" + mount.fstype + ") can be idmapped for a layer",
          root ? "the root cannot be shown through a layer with shifted ids"
               : "it is copied if small, bound read-only if it is an image, else hidden: the verdict is "
                 "capped",
          root ? "use --profile=root, which contains less, or a root on ext4, xfs or btrfs"
               : "nothing to do if the action does not need it",
          root);
    }
  }

  void cgroups() {
    add("cgroups.layout", "Cgroups and limits", 0, std::string("layout: ") + to_string(facts_.cgroups.layout),
        "", "", false);
    const bool v2 = !facts_.cgroups.v2_mount.empty();
    add("cgroups.v2", "Cgroups and limits", v2 ? 0 : ENOENT,
        v2 ? "cgroup v2 at " + facts_.cgroups.v2_mount : std::string("cgroup v2"),
        "it is mounted privately for each run", "mount -t cgroup2 none /sys/fs/cgroup", false);
    std::string controllers;
    if (v2)
      controllers =
          sys::read_file((facts_.cgroups.v2_mount + "/cgroup.controllers").c_str(), 4096).value_or("");
    std::replace(controllers.begin(), controllers.end(), '\n', ' ');
    for (const auto& [name, v1] : {std::pair{"memory", facts_.cgroups.v1_memory},
                                   {"pids", facts_.cgroups.v1_pids},
                                   {"cpu", facts_.cgroups.v1_cpu}}) {
      const bool in_v2 = (' ' + controllers + ' ').find(std::string(" ") + name + ' ') != std::string::npos;
      const std::string id = std::string("cgroups.") + name;
      add(id.c_str(), "Cgroups and limits", in_v2 || !v1.empty() ? 0 : ENOENT,
          std::string(name) + " controller" +
              (in_v2        ? " (v2)"
               : v1.empty() ? ""
                            : " (v1)"),
          "this limit cannot be set", "enable the controller on the kernel command line", false);
    }
  }

  void tracing() {
    add("tracing.btf", "Tracing", ::access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? 0 : ENOENT,
        "kernel type information (BTF)", "system calls cannot be recorded",
        "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are", false);
    const int bpf = in_child([] {
      const struct bpf_insn program[] = {{0xb7, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}};
      union bpf_attr attributes = {};
      attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
      attributes.insn_cnt = 2;
      attributes.insns = reinterpret_cast<std::uint64_t>(program);
      attributes.license = reinterpret_cast<std::uint64_t>("GPL");
      return ::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes) >= 0 ? 0 : errno;
    });
    add("tracing.bpf", "Tracing", bpf, "BPF programs load", "system calls cannot be recorded",
        "see kernel.unprivileged_bpf_disabled and lockdown; --no-trace goes on without, verdict inconclusive",
        false);
    struct statfs filesystem = {};
    const bool pins = ::statfs("/sys/fs/bpf", &filesystem) == 0 &&
                      static_cast<std::uint64_t>(filesystem.f_type) == BPF_FS_MAGIC;
    add("tracing.pins", "Tracing", pins ? 0 : ENOENT, "a BPF filesystem keeps the programs loaded",
        "every run loads them anew: some 0.2 s", "mount -t bpf bpf /sys/fs/bpf", false);
    const int scheduled = in_child([] {
      struct sched_param priority = {};
      priority.sched_priority = 1;
      return ::sched_setscheduler(0, SCHED_FIFO, &priority) == 0 ? 0 : errno;
    });
    add("tracing.realtime", "Tracing", scheduled, "real-time priority for the trace's governor",
        "a flood of calls may outrun the trace; then the verdict is inconclusive",
        "see ulimit -r and the cpu controller's real-time budget", false);
  }

  void state() {
    std::string at = state_dir_;
    while (at.size() > 1 && ::access(at.c_str(), F_OK) != 0)
      at.resize(std::max<std::size_t>(1, at.rfind('/')));
    struct statvfs usage = {};
    if (::statvfs(at.c_str(), &usage) != 0) {
      add("state.space", "State directory", errno, at, "nothing can be kept",
          "choose another place with --state", true);
      return;
    }
    const std::uint64_t free = usage.f_bavail * usage.f_frsize;
    const std::uint64_t reserve = std::min(usage.f_blocks * usage.f_frsize / 20, std::uint64_t{1} << 30U);
    const bool sized = usage.f_blocks != 0;  // one in memory may have none
    add("state.space", "State directory", !sized || free > reserve ? 0 : ENOSPC,
        sized ? at + ": " + format_bytes(free) + " free, reserve " + format_bytes(reserve)
              : at + ": in memory, without a size",
        "no run starts below the reserve", "free some space, `rehearse gc`, or use --state elsewhere", true);
    add("state.quota", "State directory", project_quota(at), "--max-write by project quota",
        "the limit of written bytes is kept by sampling: soft",
        "ext4 with -O quota,project mounted prjquota, or xfs mounted pquota", false);
    add("state.idmap", "State directory", try_idmap(at), at + " can hold layers",
        "uppers cannot be made with shifted ids", "use --state on ext4, xfs or btrfs", true);
  }

  const HostFacts& facts_;
  const std::string& state_dir_;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> probe_host(const HostFacts& facts, const std::string& state_dir) {
  return Prober(facts, state_dir).probe();
}

const char* to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kDegraded:
      return "degraded";
    case Status::kMissing:
      return "missing";
  }
  return "?";
}

}  // namespace rehearse::host
