#include "sandbox/tree_builder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "base/path.h"
#include "base/sys.h"
#include "sandbox/init/protocol.h"
#include "sandbox/stdio.h"

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kInRoot = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr int kDetach = 2;         // MNT_DETACH
constexpr unsigned kTtyGroup = 5;  // "tty" on Debian and most others

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};
constexpr Device kDevices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                               {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

struct Link {
  const char* name;
  const char* target;
};
constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
                           {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
                           {"core", "/proc/kcore"},       {"ptmx", "pts/ptmx"}};

struct Option {
  const char* key;
  std::string value;
};

Result<UniqueFd> mount_new(const char* type, std::initializer_list<Option> options, unsigned attributes) {
  RH_TRY(auto context, sys::fs_open(type));
  for (const Option& option : options)
    RH_CHECK(sys::fs_set_string(context.get(), option.key, option.value.c_str()));
  if (auto created = sys::fs_create(context.get()); !created)
    return with_context(created.error(), std::string("mounting a private ") + type);
  return sys::fs_mount(context.get(), attributes);
}

/// Kernels that read devpts's gid= as a signed number (6.1 and 6.12 do) refuse a shifted one with EINVAL. A
/// new terminal then has its opener's group, not "tty"; the action's own terminal is given the group below.
Result<UniqueFd> make_devpts(std::uint32_t shift) {
  constexpr unsigned kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  auto made = mount_new("devpts",
                        {{"mode", "0620"}, {"gid", std::to_string(shift + kTtyGroup)}, {"ptmxmode", "0666"}},
                        kAttributes);
  if (made || made.error().err != EINVAL) return made;
  return mount_new("devpts", {{"mode", "0620"}, {"ptmxmode", "0666"}}, kAttributes);
}

/// The root of a kernel's filesystem is its mounter's, as that one stands outside: nobody's inside.
Result<void> own_root(int mount, std::uint32_t shift) {
  if (shift != 0 && ::fchownat(mount, "", shift, shift, AT_EMPTY_PATH) != 0)
    return sys::last_error("fchown", "the root of a filesystem of the run's own");
  return {};
}

Result<UniqueFd> make_dev(const std::string& owner) {
  RH_TRY(auto dev,
         mount_new("tmpfs",
                   {{"mode", "0755"}, {"uid", owner}, {"gid", owner}, {"size", "64k"}, {"nr_inodes", "64"}},
                   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
  for (const Device& device : kDevices) {
    if (::mknodat(dev.get(), device.name, S_IFCHR | 0666, makedev(device.major, device.minor)) != 0) {
      return sys::last_error("mknod", device.name);
    }
  }
  for (const Link& link : kLinks) {
    if (::symlinkat(link.target, dev.get(), link.name) != 0) return sys::last_error("symlink", link.name);
  }
  for (const char* name : {"pts", "shm", "mqueue"}) RH_CHECK(sys::mkdir_at(dev.get(), name, 0755));
  return dev;
}

Result<UniqueFd> make_empty() {
  RH_TRY(auto empty, mount_new("tmpfs", {{"mode", "0755"}, {"size", "4k"}, {"nr_inodes", "8"}},
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  RH_CHECK(sys::mkdir_at(empty.get(), "dir", 0555));
  RH_TRY(auto file, sys::open_beneath(empty.get(), "file", O_WRONLY | O_CREAT, 0444));
  return empty;
}

/// The socket that stands for the service manager's.
Result<UniqueFd> listen_in(int directory, std::uint32_t mode) {
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return sys::last_error("socket");
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = sys::fd_path(directory) + "/manager";
  std::memcpy(&address.sun_path[0], path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  if (::bind(listener.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0)
    return sys::last_error("bind", "the service manager's socket");
  if (::fchmodat(directory, "manager", mode, 0) != 0)
    return sys::last_error("chmod", "the service manager's socket");
  if (::listen(listener.get(), kManagerBacklog) != 0) return sys::last_error("listen");
  return listener;
}

/// Everything that is needed to attach the plan's mounts one by one.
class Assembler {
 public:
  Assembler(const Plan& plan, LayerBuilder& layers, PrivateFilesystems& own, KernelFilesystems& kernel,
            int stage)
      : plan_(plan), layers_(layers), own_(own), kernel_(kernel), stage_(stage) {}

  Result<void> assemble() {
    RH_CHECK(attach_stage(own_.empty.get(), "empty"));
    RH_CHECK(keep_alias_sources());
    RH_CHECK(attach_root());
    for (std::size_t i = 1; i < plan_.mounts.size(); ++i) {
      const MountPlan& mount = plan_.mounts[i];
      if (lies_on_hidden(mount)) continue;
      if (auto shown = show(i); !shown) return with_context(shown.error(), "mount " + mount.mountpoint);
    }
    RH_CHECK(add_missing());
    if (plan_.service_manager) RH_CHECK(attach_manager());
    for (const std::string& path : plan_.covered) {
      if (auto done = hide(path); !done && done.error().err != ENOENT)
        return with_context(done.error(), "hiding " + path);
    }
    if (plan_.request.profile == Profile::kRoot) RH_CHECK(seal_proc());
    RH_CHECK(layers_.verify());
    return pivot();
  }

 private:
  Result<void> attach_stage(int mount, const char* name) {
    RH_CHECK(sys::mkdir_at(stage_, name, 0700));
    RH_TRY(auto at, sys::open_beneath(stage_, name, O_PATH | O_DIRECTORY));
    return sys::attach_mount(mount, at.get());
  }

  /// A layer with aliases gets a second, bare mount in the stage: its subtrees are bound from there, where
  /// nothing is mounted on top. (Before Linux 6.15 a subtree of a detached mount cannot be cloned.)
  Result<void> keep_alias_sources() {
    for (const MountPlan& mount : plan_.mounts) {
      if (mount.show != Show::kAlias || alias_sources_.contains(mount.layer)) continue;
      const BuiltLayer& layer = layers_.layers()[mount.layer];
      if (!layer.mount.valid()) continue;
      const std::string name = "alias" + std::to_string(mount.layer);
      RH_CHECK(attach_stage(layer.mount.get(), name.c_str()));
      RH_TRY(auto inside, sys::open_at2(stage_, name.c_str(), O_PATH | O_DIRECTORY, 0, 0));
      alias_sources_[mount.layer] = std::move(inside);
      // What was attached is the stage's now; the tree gets a clone.
      RH_TRY(layers_.layers()[mount.layer].mount, sys::clone_mount(alias_sources_[mount.layer].get(), ""));
      // The host's own mount stays as it is, wherever it is shown: its clones have its attributes.
      if (!layer.is_overlay) continue;
      // Attributes the first mount point has, such as read-only, are not those of the aliases.
      constexpr std::uint64_t kPerMount = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
      RH_CHECK(sys::set_mount_attributes(alias_sources_[mount.layer].get(), 0, kPerMount));
    }
    return {};
  }

  Result<void> attach_root() {
    RH_CHECK(sys::mkdir_at(stage_, "root", 0700));
    RH_TRY(auto at, sys::open_beneath(stage_, "root", O_PATH | O_DIRECTORY));
    if (plan_.mounts[0].show == Show::kAlias) {
      RH_TRY(root_, clone_alias(plan_.mounts[0]));
    } else {
      RH_TRY(root_, sys::dup(layers_.layers()[plan_.mounts[0].layer].mount.get()));
    }
    return sys::attach_mount(root_.get(), at.get());
  }

  /// On a mount that turned out to be none that can be shown, there is no place to mount anything on.
  bool lies_on_hidden(const MountPlan& mount) {
    const auto above = std::ranges::find_if(hidden_layers_, [&](const std::string& hidden) {
      return mount.mountpoint != hidden && is_within(mount.mountpoint, hidden);
    });
    if (above == hidden_layers_.end()) return false;
    if (mount.show == Show::kOverlay || mount.show == Show::kAlias)
      layers_.leave_out(mount.mountpoint, "lies on " + *above + ", which is hidden");
    return true;
  }

  Result<void> hide_layer(const std::string& mountpoint) {
    hidden_layers_.push_back(mountpoint);
    return hide(mountpoint);
  }

  [[nodiscard]] Result<UniqueFd> target(const std::string& path) const {
    return sys::open_at2(root_.get(), path.c_str() + 1, O_PATH | O_NOFOLLOW, 0, kInRoot);
  }

  Result<void> attach(int mount, const std::string& path) {
    RH_TRY(auto at, target(path));
    return sys::attach_mount(mount, at.get());
  }

  /// A mount of the host's own that stands for a layer, wherever it is shown: nothing may be written there.
  Result<void> attach_layer(const MountPlan& mount, int clone) {
    if (!layers_.layers()[mount.layer].is_overlay) {
      RH_CHECK(sys::set_mount_attributes(clone, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, 0));
      struct statvfs shown = {};
      if (::fstatvfs(clone, &shown) != 0) return sys::last_error("statvfs");
      if ((shown.f_flag & ST_RDONLY) == 0) return fail("it cannot be made read-only");
    }
    return attach(clone, mount.mountpoint);
  }

  Result<UniqueFd> clone_alias(const MountPlan& mount) {
    const auto source = alias_sources_.find(mount.layer);
    if (source == alias_sources_.end()) return fail("its layer is not there");
    RH_TRY(auto object,
           sys::open_at2(source->second.get(), mount.subpath.empty() ? "." : mount.subpath.c_str(),
                         O_PATH | O_NOFOLLOW, 0, kInRoot | RESOLVE_NO_XDEV));
    RH_TRY(auto clone, sys::clone_mount(object.get(), ""));
    std::uint64_t attributes = 0;
    if (mount.read_only) attributes |= MOUNT_ATTR_RDONLY;
    if (mount.nosuid) attributes |= MOUNT_ATTR_NOSUID;
    if (mount.noexec) attributes |= MOUNT_ATTR_NOEXEC;
    if (attributes != 0) RH_CHECK(sys::set_mount_attributes(clone.get(), attributes, 0));
    return clone;
  }

  Result<void> show_layer(const MountPlan& mount) {
    BuiltLayer& layer = layers_.layers()[mount.layer];
    if (!layer.mount.valid()) return hide_layer(mount.mountpoint);
    if (layer.file.empty()) return attach_layer(mount, layer.mount.get());
    // The layer is a directory that holds the one file.
    const std::string name = "file" + std::to_string(mount.layer);
    RH_CHECK(attach_stage(layer.mount.get(), name.c_str()));
    RH_TRY(auto inside,
           sys::open_at2(stage_, (name + '/' + layer.file).c_str(), O_PATH | O_NOFOLLOW, 0, kInRoot));
    RH_TRY(auto clone, sys::clone_mount(inside.get(), ""));
    return attach(clone.get(), mount.mountpoint);
  }

  Result<void> show(std::size_t index) {
    const MountPlan& mount = plan_.mounts[index];
    switch (mount.show) {
      case Show::kOverlay:
        return show_layer(mount);
      case Show::kAlias: {
        if (!alias_sources_.contains(mount.layer)) return hide_layer(mount.mountpoint);
        RH_TRY(auto clone, clone_alias(mount));
        return attach_layer(mount, clone.get());
      }
      case Show::kProc:
        return attach(kernel_.proc.get(), "/proc");
      case Show::kSysfs:
        return attach(kernel_.sysfs.get(), "/sys");
      case Show::kDev:
        return attach_dev();
      case Show::kHidden:
        return hide(mount.mountpoint);
      case Show::kDevpts:
      case Show::kShm:
      case Show::kMqueue:  // with /dev
      case Show::kCgroup:  // by init, in its own cgroup namespace
      case Show::kAbsent:
        return {};
    }
    return {};
  }

  Result<void> attach_dev() {
    const std::uint32_t shift = plan_.request.profile == Profile::kShifted ? kIdShift : 0;
    for (const int mount : {own_.devpts.get(), kernel_.mqueue.get()}) RH_CHECK(own_root(mount, shift));
    RH_CHECK(attach(own_.dev.get(), "/dev"));
    RH_CHECK(attach(own_.devpts.get(), "/dev/pts"));
    RH_CHECK(attach(own_.shm.get(), "/dev/shm"));
    RH_CHECK(attach(kernel_.mqueue.get(), "/dev/mqueue"));
    have_dev_ = true;
    return {};
  }

  /// A host without /dev, /proc or /sys mounts has their directories at most: programs need them all the
  /// same.
  Result<void> add_missing() {
    const auto has = [this](Show show) {
      for (const MountPlan& mount : plan_.mounts) {
        if (mount.show == show) return true;
      }
      return false;
    };
    if (!have_dev_ && target("/dev")) RH_CHECK(attach_dev());
    if (!has(Show::kProc) && target("/proc")) RH_CHECK(attach(kernel_.proc.get(), "/proc"));
    if (!has(Show::kSysfs) && target("/sys")) RH_CHECK(attach(kernel_.sysfs.get(), "/sys"));
    return {};
  }

  Result<void> attach_manager() {
    const auto at = target(kManagerSocket);
    if (!at) return {};  // its mount could not be shown, which is a gap of its own
    RH_TRY(auto socket, sys::open_at2(stage_, "empty/manager", O_PATH, 0, kInRoot));
    RH_TRY(auto clone, sys::clone_mount(socket.get(), ""));
    return sys::attach_mount(clone.get(), at->get());
  }

  Result<void> hide(const std::string& path) {
    RH_TRY(auto at, target(path));
    RH_TRY(const auto st, sys::stat_fd(at.get()));
    RH_TRY(auto inside,
           sys::open_at2(stage_, S_ISDIR(st.st_mode) ? "empty/dir" : "empty/file", O_PATH, 0, kInRoot));
    RH_TRY(auto clone, sys::clone_mount(inside.get(), ""));
    RH_CHECK(sys::set_mount_attributes(clone.get(), MOUNT_ATTR_RDONLY, 0));
    return sys::attach_mount(clone.get(), at.get());
  }

  /// Without the shift root inside passes the owner checks on sysctls, sysrq-trigger, interrupts and the
  /// like. Everything below /proc that is not a process is covered by itself, read-only; without
  /// CAP_SYS_ADMIN nothing inside uncovers it, mounts another procfs or loads what would add entries.
  Result<void> seal_proc() {
    auto listing = sys::open_at2(root_.get(), "proc", O_RDONLY | O_DIRECTORY, 0, kInRoot);
    if (!listing)
      return listing.error().err == ENOENT ? Result<void>{} : tl::make_unexpected(listing.error());
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(listing->release()), ::closedir);
    if (!entries) return sys::last_error("fdopendir", "/proc");
    while (const dirent* entry = ::readdir(entries.get())) {
      const std::string name = entry->d_name;
      const bool process = name.find_first_not_of("0123456789") == std::string::npos;
      if (process || entry->d_type == DT_LNK || name == "." || name == "..") continue;
      RH_TRY(auto at, target("/proc/" + name));
      RH_TRY(auto clone, sys::clone_mount(at.get(), ""));
      RH_CHECK(sys::set_mount_attributes(clone.get(), MOUNT_ATTR_RDONLY, 0));
      RH_CHECK(sys::attach_mount(clone.get(), at.get()));
    }
    return {};
  }

  Result<void> pivot() {
    if (::fchdir(root_.get()) != 0) return sys::last_error("fchdir", "the run's root");
    RH_CHECK(sys::pivot_root_here());
    return sys::unmount(".", kDetach);
  }

  const Plan& plan_;
  LayerBuilder& layers_;
  PrivateFilesystems& own_;
  KernelFilesystems& kernel_;
  int stage_;
  UniqueFd root_;
  std::map<std::uint32_t, UniqueFd> alias_sources_;
  std::vector<std::string> hidden_layers_;  ///< mount points of layers that could not be built
  bool have_dev_ = false;
};

}  // namespace

Result<PrivateFilesystems> make_private_filesystems(const Plan& plan, std::uint32_t shift) {
  const std::string owner = std::to_string(shift);
  PrivateFilesystems own;
  RH_TRY(own.dev, make_dev(owner));
  RH_TRY(
      own.shm,
      mount_new(
          "tmpfs",
          {{"mode", "1777"}, {"uid", owner}, {"gid", owner}, {"size", std::to_string(plan.memory_bytes / 2)}},
          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  RH_TRY(own.devpts, make_devpts(shift));
  RH_TRY(own.empty, make_empty());
  if (plan.service_manager) {
    RH_TRY(own.manager, listen_in(own.empty.get(), *plan.service_manager));
  }
  return own;
}

Result<void> assemble_tree(const Plan& plan, LayerBuilder& layers, PrivateFilesystems& own,
                           KernelFilesystems& kernel, int stage) {
  return Assembler(plan, layers, own, kernel, stage).assemble();
}

Result<TerminalPair> open_terminal(const Plan& plan, int devpts, std::uint32_t shift) {
  TerminalPair pair;
  RH_TRY(pair.master, sys::open_at2(devpts, "ptmx", O_RDWR | O_NOCTTY, 0, 0));
  int unlock = 0;
  if (::ioctl(pair.master.get(), TIOCSPTLCK, &unlock) != 0) return sys::last_error("ioctl", "TIOCSPTLCK");
  const int slave = ::ioctl(pair.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return sys::last_error("ioctl", "TIOCGPTPEER");
  pair.slave.reset(slave);
  if (::fchown(slave, action_ids(plan).uid, shift + kTtyGroup) != 0)
    return sys::last_error("fchown", "the terminal");
  return pair;
}

}  // namespace rehearse::sandbox
