#include "promote/ground.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/escape.h"
#include "base/sys.h"
#include "host/open_files.h"
#include "promote/mount_points.h"
#include "promote/selection.h"

namespace rehearse::promote {
namespace {

constexpr unsigned kUnchangeable = FS_IMMUTABLE_FL | FS_APPEND_FL;
constexpr std::uint64_t kUnchangeableAttributes = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;

bool is_unchangeable(int object) {
  unsigned flags = 0;
  return ::ioctl(object, FS_IOC_GETFLAGS, &flags) == 0 && (flags & kUnchangeable) != 0;
}

tl::unexpected<Error> unchangeable(const std::string& path) {
  return fail_for(EPERM, path + " is immutable or append-only", ExitCode::kNoPermission,
                  "chattr -i -a " + path + ", then try again");
}

class Ground {
 public:
  explicit Ground(const GroundQuestion& question) : question_(question), parents_(question.volumes.size()) {}

  Result<std::vector<std::string>> check() {
    for (const Volume* volume : question_.volumes) RH_CHECK(check_writable(*volume));
    for (const Touched& one : question_.touched) RH_CHECK(check_flags(one));
    RH_CHECK(check_mount_points(question_.volumes, question_.touched));
    RH_CHECK(check_shown());
    RH_CHECK(check_swap());
    RH_CHECK(check_package_locks());
    return std::move(notes_);
  }

 private:
  Volume& volume(const Touched& one) const { return *question_.volumes[one.volume]; }
  std::string shown(const Touched& one) const { return volume(one).shown({Area::kHost, one.path}); }

  static Result<void> check_writable(const Volume& volume) {
    struct statvfs vfs = {};
    if (::fstatvfs(volume.root(), &vfs) != 0) return sys::last_error("statvfs", volume.mountpoint());
    if ((vfs.f_flag & ST_RDONLY) != 0)
      return fail_for(EROFS, volume.mountpoint() + " is mounted read-only", ExitCode::kUnavailable,
                      "mount -o remount,rw " + volume.mountpoint());
    return {};
  }

  Result<void> check_flags(const Touched& one) {
    if (one.how != Touched::How::kSet && !one.path.empty())
      RH_CHECK(check_parent(one.volume, std::string(parent_of(one.path))));
    if (one.how == Touched::How::kPut || one.flags_known) return {};
    if (const auto told = flags_by_statx(one)) {
      if (*told) return unchangeable(shown(one));
      return {};
    }
    const auto object =
        open_below(volume(one).root(), one.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME);
    // Of what cannot be opened (links, sockets, what is gone) no flags can be set either.
    if (object && is_unchangeable(object->get())) return unchangeable(shown(one));
    return {};
  }

  /// Whether it is unchangeable, where its filesystem tells without its being opened. Source: statx(2).
  std::optional<bool> flags_by_statx(const Touched& one) {
    if (one.path.empty()) return std::nullopt;
    const auto dir = parents_[one.volume].open(volume(one).root(), parent_of(one.path));
    struct statx found = {};
    if (!dir || ::statx(*dir, std::string(leaf_of(one.path)).c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                        STATX_TYPE, &found) != 0)
      return std::nullopt;
    if ((found.stx_attributes_mask & kUnchangeableAttributes) != kUnchangeableAttributes) return std::nullopt;
    return (found.stx_attributes & kUnchangeableAttributes) != 0;
  }

  Result<void> check_parent(std::size_t v, const std::string& parent) {
    if (last_ == std::pair(v, parent)) return {};
    last_ = {v, parent};
    Volume& on = *question_.volumes[v];
    const auto opened = open_below(on.root(), parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return {};  // it is yet to come
    const std::string shown = on.shown({Area::kHost, parent});
    if (is_unchangeable(opened->get())) return unchangeable(shown);
    RH_TRY(const struct stat st, sys::stat_fd(opened->get()));
    if (st.st_dev != on.device())
      return fail_for(EXDEV, shown + " lies in another subvolume than " + on.mountpoint(),
                      ExitCode::kUnavailable, "mount that subvolume by itself and rehearse again");
    return {};
  }

  /// A part of the filesystem that is mounted elsewhere, in any namespace, and what is mounted upon a part of
  /// it in another.
  Result<void> check_shown() {
    RH_TRY(const auto tables, host::all_mount_tables());
    for (std::size_t v = 0; v < question_.volumes.size(); ++v) {
      const host::Mount* own = nullptr;
      for (const host::Mount& mount : tables.front().mounts) {
        if (mount.mountpoint == question_.volumes[v]->mountpoint()) own = &mount;
      }
      if (own == nullptr) continue;
      const auto points = foreign_points(tables, *own);
      for (const Touched& one : question_.touched) {
        if (one.volume != v || one.how != Touched::How::kDisplaced) continue;
        const std::string inside = path_within(*own, one.path);
        for (const host::MountTable& table : tables) RH_CHECK(check_table(table, *own, one, inside));
        RH_CHECK(check_points(points, one, inside));
      }
    }
    return {};
  }

  struct Point {
    std::string mountpoint;  ///< as the process sees it
    int pid = 0;
  };
  /// By their paths within the filesystem that `own` shows.
  using Points = std::map<std::string, Point, std::less<>>;

  static Points foreign_points(std::span<const host::MountTable> tables, const host::Mount& own) {
    Points points;
    for (const host::MountTable& table : tables.subspan(1)) {
      std::unordered_map<int, const host::Mount*> by_id;
      for (const host::Mount& mount : table.mounts) by_id.emplace(mount.id, &mount);
      for (const host::Mount& mount : table.mounts) {
        const auto under = by_id.find(mount.parent);
        if (under == by_id.end() || under->second->major != own.major || under->second->minor != own.minor)
          continue;
        const std::string& at = under->second->mountpoint;
        if (!is_below(mount.mountpoint, at)) continue;
        const std::string rest =
            mount.mountpoint.substr(at == "/" ? 1 : std::min(at.size() + 1, mount.mountpoint.size()));
        points.emplace(path_within(*under->second, rest), Point{mount.mountpoint, table.pid});
      }
    }
    return points;
  }

  /// In this namespace a rename there would be refused. In others what is mounted goes along with the object.
  Result<void> check_points(const Points& points, const Touched& one, const std::string& inside) {
    // Names that begin as this one does, and do not lie below it, may stand between.
    for (auto point = points.lower_bound(inside); point != points.end() && point->first.starts_with(inside);
         ++point) {
      if (!is_below(point->first, inside)) continue;
      const std::string line =
          fmt::format("{}: {} is a mount point to pid {}, and {}", shown(one), point->second.mountpoint,
                      point->second.pid, "what is mounted there would go with the old object");
      if (question_.refuse_shown)
        return fail_for(EBUSY, line, ExitCode::kUnavailable, "stop that process, or: --held-open replace");
      notes_.push_back(line);
    }
    return {};
  }

  Result<void> check_table(const host::MountTable& table, const host::Mount& own, const Touched& one,
                           const std::string& inside) {
    for (const host::Mount& mount : table.mounts) {
      if (mount.major != own.major || mount.minor != own.minor || mount.root == "/" ||
          mount.root == own.root || !is_below(mount.root, inside))
        continue;
      const std::string line =
          fmt::format("{} is shown at {} to pid {}, which will go on seeing the old object", shown(one),
                      mount.mountpoint, table.pid);
      if (question_.refuse_shown && !one.directory)
        return fail_for(EBUSY, line, ExitCode::kUnavailable, "stop that process, or: --held-open replace");
      notes_.push_back(line);
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
      const std::string name = unescape_mountinfo(std::string(line.substr(0, line.find(' '))));
      for (const Touched& one : question_.touched) {
        if (one.how == Touched::How::kDisplaced && is_below(name, shown(one)))
          return fail_for(ETXTBSY, shown(one) + ": " + name + " is swapped to", ExitCode::kUnavailable,
                          "swapoff it first");
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
    for (const std::string& path : question_.paths) {
      for (const auto& [directory, file] : kKnown) {
        const auto at = path.find(directory);
        if (at != std::string::npos) locks.insert(path.substr(0, at + directory.size()) + file);
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

  const GroundQuestion& question_;
  std::vector<ParentCache> parents_;  ///< of each volume
  std::vector<std::string> notes_;
  std::pair<std::size_t, std::string> last_ = {SIZE_MAX, {}};  ///< the directory looked at last
};

}  // namespace

Result<void> check_mount_points(std::span<Volume* const> volumes, std::span<const Touched> touched) {
  RH_TRY(const auto mounts, host::read_mounts());
  std::vector<std::vector<MountPoint>> points;
  for (const Volume* volume : volumes) points.push_back(points_within(*volume, mounts));
  for (const Touched& one : touched) {
    const std::string shown = volumes[one.volume]->shown({Area::kHost, one.path});
    for (const auto& [path, shows] : points[one.volume]) {
      if (one.how == Touched::How::kDisplaced && is_below(path, shown))
        return fail_for(EBUSY, shown + (path == shown ? "" : ": " + path) + " is a mount point",
                        ExitCode::kUnavailable, "unmount it first");
      if (shows == MountPoint::Shows::kSame || !is_below(shown, path)) continue;
      if (shows == MountPoint::Shows::kReadOnly)
        return fail_for(EROFS, shown + ": " + path + " is mounted read-only", ExitCode::kUnavailable,
                        "mount -o remount,bind,rw " + shell_quote(path));
      return fail_for(EBUSY,
                      (shown == path ? "" : shown + ": ") + path + " is a mount point now, which hides it",
                      ExitCode::kUnavailable, "unmount it first, or rehearse again");
    }
  }
  return {};
}

Result<void> check_still_shown(std::span<Volume> volumes, std::span<const Touched> touched) {
  std::vector<Volume*> all;
  for (Volume& volume : volumes) all.push_back(&volume);
  auto checked = check_mount_points(all, touched);
  if (!checked && checked.error().exit == ExitCode::kUnavailable) checked.error().exit = ExitCode::kStale;
  return checked;
}

Result<std::vector<std::string>> check_ground(const GroundQuestion& question) {
  return Ground(question).check();
}

}  // namespace rehearse::promote
