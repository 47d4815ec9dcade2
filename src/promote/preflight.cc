#include "promote/preflight.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <unordered_set>

#include "base/escape.h"
#include "base/sys.h"
#include "base/units.h"
#include "host/open_files.h"

namespace rehearse::promote {
namespace {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

constexpr std::uint32_t kUnchangeable = FS_IMMUTABLE_FL | FS_APPEND_FL;
/// What a copied object needs besides its blocks.
constexpr std::uint64_t kObjectBytes = 4096;

class Preflight {
 public:
  explicit Preflight(const PreflightInput& input) : input_(input) {}

  Result<PreflightReport> check() {
    for (std::size_t v = 0; v < input_.volumes.size(); ++v) {
      RH_CHECK(check_writable(v));
      RH_CHECK(check_own_state(v));
      RH_CHECK(check_flags(v));
      if (!input_.adopted[v]) RH_CHECK(check_space(v));
    }
    RH_CHECK(check_mount_tables());
    RH_CHECK(check_swap());
    RH_CHECK(check_package_locks());
    RH_CHECK(check_holders());
    return std::move(report_);
  }

 private:
  const LayerPlan& layer(std::size_t v) const { return input_.plan->layers[v]; }
  const Change& change(const Step& step) const { return input_.changes[step.change]; }

  Result<void> check_writable(std::size_t v) {
    struct statvfs vfs = {};
    if (::fstatvfs(input_.volumes[v].root(), &vfs) != 0)
      return sys::last_error("statvfs", layer(v).mountpoint);
    if ((vfs.f_flag & ST_RDONLY) != 0)
      return fail_for(EROFS, layer(v).mountpoint + " is mounted read-only", ExitCode::kUnavailable,
                      "mount -o remount,rw " + layer(v).mountpoint);
    struct statfs kind = {};
    if (::fstatfs(input_.volumes[v].root(), &kind) != 0)
      return sys::last_error("statfs", layer(v).mountpoint);
    if (kind.f_type == MSDOS_SUPER_MAGIC || kind.f_type == EXFAT_SUPER_MAGIC)
      return fail(layer(v).mountpoint +
                      " is a FAT filesystem, which keeps neither owners, modes nor exact "
                      "times: what was rehearsed cannot be installed there exactly",
                  ExitCode::kUnavailable,
                  "leave it out: --except " + layer(v).mountpoint + ", and change it by hand");
    return {};
  }

  /// Where an operation takes the object away, or puts another in its place.
  static bool displaces(const Step& step) {
    return step.kind == OperationKind::kExchange ||
           (step.kind == OperationKind::kMove && step.from.area == Area::kHost);
  }
  static const std::string& displaced_path(const Step& step) {
    return step.kind == OperationKind::kExchange ? step.to.path : step.from.path;
  }

  Result<void> check_own_state(std::size_t v) {
    for (const Step& step : layer(v).steps) {
      for (const Place* place : {&step.from, &step.to}) {
        if (place->area != Area::kHost || place->path.empty()) continue;
        const std::string shown = input_.volumes[v].shown(*place);
        if (place->path == kStoreDirectory || place->path.starts_with(std::string(kStoreDirectory) + '/') ||
            is_below(shown, input_.state_path))
          return fail(shown + " belongs to rehearse itself", ExitCode::kDataError, "leave it out: --except");
      }
      if (displaces(step) &&
          is_below(input_.state_path, input_.volumes[v].shown({Area::kHost, displaced_path(step)})))
        return fail(change(step).path + " holds rehearse's own state", ExitCode::kDataError,
                    "leave it out: --except " + change(step).path);
    }
    return {};
  }

  Result<void> check_flags(std::size_t v) {
    std::string last;
    bool looked = false;
    for (const Step& step : layer(v).steps) {
      if (step.kind == OperationKind::kAttributes && step.change == Step::kNone) continue;
      if (step.change != Step::kNone && change(step).before &&
          (change(step).before->flags & kUnchangeable) != 0)
        return unchangeable(change(step).path);
      for (const Place* place : {&step.from, &step.to}) {
        if (place->area != Area::kHost || place->path.empty()) continue;
        const std::string parent(parent_of(place->path));
        if (looked && parent == last) continue;
        looked = true;
        last = parent;
        RH_CHECK(check_parent(v, parent));
      }
    }
    return {};
  }

  static tl::unexpected<Error> unchangeable(const std::string& path) {
    return fail_for(EPERM, path + " is immutable or append-only", ExitCode::kNoPermission,
                    "chattr -i -a " + path + ", then rehearse again");
  }

  Result<void> check_parent(std::size_t v, const std::string& parent) {
    const auto opened = open_below(input_.volumes[v].root(), parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return {};  // it is yet to come
    unsigned flags = 0;
    if (::ioctl(opened->get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & kUnchangeable) != 0)
      return unchangeable(input_.volumes[v].shown({Area::kHost, parent}));
    RH_TRY(const struct stat st, sys::stat_fd(opened->get()));
    if (st.st_dev != input_.volumes[v].device())
      return fail_for(EXDEV,
                      input_.volumes[v].shown({Area::kHost, parent}) + " lies in another subvolume than " +
                          layer(v).mountpoint,
                      ExitCode::kUnavailable, "mount that subvolume by itself and rehearse again");
    return {};
  }

  Result<void> check_space(std::size_t v) {
    std::uint64_t bytes = 0;
    std::uint64_t objects = 0;
    std::set<std::uint64_t> counted;
    std::vector<std::string> tops;
    for (const StageItem& item : layer(v).stages) {
      if (input_.changes[item.change].type == FileType::kDir && item.how == StageItem::How::kWhole)
        tops.push_back(input_.changes[item.change].path);
      add_space(input_.changes[item.change], counted, bytes, objects);
    }
    std::sort(tops.begin(), tops.end(), path_less);
    for (const Change& below : input_.changes) {
      if (below.layer != layer(v).layer || !below.after || tops.empty()) continue;
      auto top = std::upper_bound(tops.begin(), tops.end(), below.path, path_less);
      if (top != tops.begin() && below.path != *--top && is_below(below.path, *top))
        add_space(below, counted, bytes, objects);
    }
    struct statvfs vfs = {};
    if (::fstatvfs(input_.volumes[v].root(), &vfs) != 0)
      return sys::last_error("statvfs", layer(v).mountpoint);
    const std::uint64_t room = std::uint64_t{vfs.f_bavail} * vfs.f_frsize;
    const bool counts_inodes = vfs.f_files != 0;
    const bool counts_blocks = vfs.f_blocks != 0;  // ramfs does not
    if (counts_blocks && bytes > room)
      return fail_for(ENOSPC,
                      fmt::format("{} needs {} for the new objects and has {}", layer(v).mountpoint,
                                  format_bytes(bytes), format_bytes(room)),
                      ExitCode::kCantCreate, "make room there");
    if (counts_inodes && objects > vfs.f_favail)
      return fail_for(ENOSPC,
                      fmt::format("{} needs {} inodes for the new objects and has {}", layer(v).mountpoint,
                                  objects, static_cast<std::uint64_t>(vfs.f_favail)),
                      ExitCode::kCantCreate, "remove files there");
    return {};
  }

  static void add_space(const Change& change, std::set<std::uint64_t>& counted, std::uint64_t& bytes,
                        std::uint64_t& objects) {
    if (change.type != FileType::kDir && change.after->nlink > 1 && !counted.insert(change.after->ino).second)
      return;
    // On a filesystem that cannot hold holes it may need more; staging will tell.
    bytes += change.type == FileType::kFile
                 ? std::min(change.after->blocks * 512, change.after->size + kObjectBytes)
                 : kObjectBytes;
    ++objects;
  }

  /// Path of a host place within its filesystem, as mount tables have it.
  static std::string within(const host::Mount& shown_by, const std::string& path) {
    return (shown_by.root == "/" ? "" : shown_by.root) + '/' + path;
  }

  Result<void> check_mount_tables() {
    RH_TRY(const auto tables, host::all_mount_tables());
    for (std::size_t v = 0; v < input_.volumes.size(); ++v) {
      const host::Mount* own = nullptr;
      for (const host::Mount& mount : tables.front().mounts) {
        if (mount.mountpoint == layer(v).mountpoint) own = &mount;
      }
      if (own == nullptr) continue;
      // Only what shows a part of this filesystem, or lies on it, is of interest.
      for (const Step& step : layer(v).steps) {
        if (!displaces(step)) continue;
        const std::string& path = displaced_path(step);
        const std::string shown = input_.volumes[v].shown({Area::kHost, path});
        for (const host::Mount& mount : tables.front().mounts) {
          if (is_below(mount.mountpoint, shown))
            return fail_for(EBUSY, change(step).path + ": " + mount.mountpoint + " is a mount point",
                            ExitCode::kUnavailable, "unmount it first");
        }
        const std::string inside = within(*own, path);
        for (const host::MountTable& table : tables) RH_CHECK(check_shown(table, *own, step, inside));
      }
    }
    return {};
  }

  Result<void> check_shown(const host::MountTable& table, const host::Mount& own, const Step& step,
                           const std::string& inside) {
    for (const host::Mount& mount : table.mounts) {
      if (mount.major != own.major || mount.minor != own.minor || mount.root == "/" ||
          mount.root == own.root || !is_below(mount.root, inside))
        continue;
      const std::string line =
          fmt::format("{} is shown at {} to pid {}, which will go on seeing the old object",
                      change(step).path, mount.mountpoint, table.pid);
      if (input_.held_open == HeldOpen::kRefuse && step.type != FileType::kDir)
        return fail_for(EBUSY, line, ExitCode::kUnavailable, "stop that process, or: --held-open replace");
      report_.notes.push_back(line);
    }
    return {};
  }

  Result<void> check_swap() {
    const auto text = sys::read_file("/proc/swaps");
    if (!text) return {};
    std::string_view rest = *text;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!line.starts_with('/')) continue;
      const std::string file = line.find(' ') == std::string_view::npos
                                   ? std::string(line)
                                   : std::string(line.substr(0, line.find(' ')));
      const std::string name = unescape_mountinfo(file);
      for (std::size_t v = 0; v < input_.volumes.size(); ++v) {
        for (const Step& step : layer(v).steps) {
          if (!displaces(step)) continue;
          if (is_below(name, input_.volumes[v].shown({Area::kHost, displaced_path(step)})))
            return fail_for(ETXTBSY, change(step).path + ": " + name + " is swapped to",
                            ExitCode::kUnavailable, "swapoff it first");
        }
      }
    }
    return {};
  }

  Result<void> check_package_locks() {
    std::set<std::string> locks;
    constexpr std::pair<std::string_view, const char*> kKnown[] = {{"/var/lib/dpkg/", "lock"},
                                                                   {"/var/lib/dpkg/", "lock-frontend"},
                                                                   {"/var/lib/apt/lists/", "lock"},
                                                                   {"/var/cache/apt/archives/", "lock"},
                                                                   {"/var/lib/rpm/", ".rpm.lock"}};
    for (std::size_t i = 0; i < input_.changes.size(); ++i) {
      if (!input_.plan->taken[i]) continue;
      for (const auto& [directory, file] : kKnown) {
        const auto at = input_.changes[i].path.find(directory);
        if (at != std::string::npos)
          locks.insert(input_.changes[i].path.substr(0, at + directory.size()) + file);
      }
    }
    for (const std::string& path : locks) {
      const auto file = sys::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
      if (!file) continue;
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      if (::fcntl(file->get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        return fail_for(EAGAIN,
                        fmt::format("{} is locked by pid {}: a package manager is at work", path,
                                    static_cast<int>(lock.l_pid)),
                        ExitCode::kTryLater, "try again when it is done");
    }
    return {};
  }

  /// The bytes of a file that keeps its name and has no other can be written into it.
  static bool can_be_rewritten(const Change& change) {
    return change.kind == ChangeKind::kModified && change.type == FileType::kFile &&
           change.before->nlink == 1 && change.after->nlink == 1;
  }

  /// Every object that goes into the store, now or at last. One that is parked there comes back.
  std::vector<Going> find_going(std::set<std::pair<std::size_t, std::string>>& apart) const {
    std::vector<Going> going;
    for (std::size_t v = 0; v < input_.volumes.size(); ++v) {
      std::set<std::size_t> parked;
      for (const Step& step : layer(v).steps) parked.insert(step.parked);
      for (std::size_t s = 0; s < layer(v).steps.size(); ++s) {
        const Step& step = layer(v).steps[s];
        if (!displaces(step)) continue;
        if (step.kind == OperationKind::kMove) apart.emplace(v, step.from.path);
        if (step.kind == OperationKind::kMove && (!step.to_kept || parked.contains(s))) continue;
        Going one{v, step.kind == OperationKind::kExchange ? step.origin : step.from.path};
        if (can_be_rewritten(change(step))) one.rewrite = step.change;
        going.push_back(std::move(one));
      }
    }
    return going;
  }

  Result<void> check_holders() {
    std::set<std::pair<std::size_t, std::string>> apart;
    const auto going = find_going(apart);
    std::vector<Volume*> volumes;
    for (Volume& volume : input_.volumes) volumes.push_back(&volume);
    RH_TRY(HeldAnswer held, ask_who_holds({volumes, going, &apart, input_.held_open,
                                           "--held-open replace (it keeps the old file), --held-open "
                                           "in-place (the new bytes go into the same file)"}));
    for (std::string& note : held.notes) report_.notes.push_back(std::move(note));
    report_.in_place = std::move(held.in_place);
    return {};
  }

  const PreflightInput& input_;
  PreflightReport report_;
};

}  // namespace

Result<PreflightReport> check_preflight(const PreflightInput& input) {
  return Preflight(input).check();
}

}  // namespace rehearse::promote
