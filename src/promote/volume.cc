#include "promote/volume.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "base/clock.h"
#include "base/sys.h"
#include "base/tree.h"
#include "base/units.h"
#include "promote/directory_handle.h"

namespace rehearse::promote {
namespace {

constexpr std::uint64_t kResolve =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr std::uint64_t kDirectory = O_PATH | O_DIRECTORY | O_NOFOLLOW;
constexpr std::size_t kPiece = PATH_MAX - 256 - 1;  ///< a piece and one more name fit into a path

/// The name is in use for something else, by whoever may write in the mount's root.
template <class T>
Result<T> as_store(Result<T> opened, const std::string& mountpoint) {
  if (opened || (opened.error().err != ELOOP && opened.error().err != ENOTDIR)) return opened;
  const std::string path = (mountpoint == "/" ? "" : mountpoint) + '/' + kStoreDirectory;
  return fail_for(opened.error().err, path + " is no directory, and what is replaced is to be kept there",
                  ExitCode::kConfig, "look what it is, then: rm " + path);
}

}  // namespace

Settings settings_of(const effects::Attributes& attributes) {
  Settings settings;
  settings.mode = attributes.mode;
  settings.uid = attributes.uid;
  settings.gid = attributes.gid;
  settings.mtime_ns = attributes.mtime_ns;
  for (const auto& [name, value] : attributes.xattrs) {
    if (is_carried(name)) settings.xattrs.emplace(name, value);
  }
  settings.flags = attributes.flags & kKeptFlags;
  return settings;
}

std::string place_key(const Operation& operation, const Place& place) {
  return std::to_string(operation.volume) + (place.area == Area::kHost ? 'h' : 's') + place.path;
}

bool is_carried(std::string_view xattr) {
  return !xattr.starts_with("trusted.SGI_ACL_");
}

Facts facts_of(const struct stat& st) {
  return {st.st_ino, to_ns(st.st_ctim), to_ns(st.st_mtim), static_cast<std::uint64_t>(st.st_size)};
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view leaf_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view below_mount(const std::string& path, const std::string& mountpoint) {
  const std::size_t head = mountpoint == "/" ? 1 : mountpoint.size() + 1;
  return path.size() < head ? std::string_view() : std::string_view(path).substr(head);
}

Result<UniqueFd> open_below(int root, std::string_view path, std::uint64_t flags) {
  UniqueFd at;
  int from = root;
  while (path.size() > kPiece) {
    const auto slash = path.rfind('/', kPiece);
    if (slash == std::string_view::npos || slash == 0)
      return fail_errno(ENAMETOOLONG, "open " + std::string(path.substr(0, 80)));
    RH_TRY(UniqueFd next,
           sys::open_at2(from, std::string(path.substr(0, slash)).c_str(), kDirectory, 0, kResolve));
    at = std::move(next);
    from = at.get();
    path.remove_prefix(slash + 1);
  }
  return sys::open_at2(from, path.empty() ? "." : std::string(path).c_str(), flags, 0, kResolve);
}

const char* why_nowhere(int err) {
  switch (err) {
    case ENOENT:
    case ESTALE:
      return "it is gone";
    case ENOTDIR:
    case ELOOP:
      return "it is a symlink now, or no directory any more";
    case EXDEV:
      return "something is mounted over it";
    default:
      return "it cannot be opened";
  }
}

bool leads_nowhere(int err) {
  return err == ENOENT || err == ENOTDIR || err == ELOOP || err == EXDEV;
}

Result<int> ParentCache::open(int root, std::string_view path) {
  if (open_ && path_ == path) return fd_.get();
  open_ = false;
  RH_TRY(fd_, open_below(root, path, kDirectory));
  path_ = path;
  open_ = true;
  return fd_.get();
}

Result<Volume> Volume::open(std::string mountpoint) {
  Volume volume;
  const UniqueFd top(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.valid()) return sys::last_error("open", "/");
  // Mount points are canonical; what has become a symlink meanwhile is none.
  auto root = mountpoint == "/" ? sys::dup(top.get())
                                : sys::open_at2(top.get(), mountpoint.substr(1).c_str(), kDirectory, 0,
                                                RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  if (!root)
    return fail_for(root.error().err,
                    "the mount point " + mountpoint + " has moved: " + why_nowhere(root.error().err),
                    ExitCode::kStale, "rehearse again");
  struct statx facts = {};
  if (::statx(root->get(), "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &facts) != 0)
    return sys::last_error("statx", mountpoint);
  if ((facts.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
      (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) {
    return fail("nothing is mounted at " + mountpoint + " any more", ExitCode::kStale,
                "mount it, or rehearse again");
  }
  RH_TRY(const struct stat st, sys::stat_fd(root->get()));
  volume.device_ = st.st_dev;
  volume.root_inode_ = st.st_ino;
  volume.mountpoint_ = std::move(mountpoint);
  // A copy of the mount by itself has nothing mounted upon it, so that no path is hidden. Who may not make
  // one (mounts that came locked from a more privileged namespace) finds what is hidden to be so.
  if (auto bare = sys::clone_mount(root->get(), "")) {
    volume.mount_ = std::move(*root);
    root = std::move(bare);
  }
  volume.root_ = std::move(*root);
  return volume;
}

Result<Volume> Volume::scratch(UniqueFd root, std::string mountpoint) {
  Volume volume;
  RH_TRY(const struct stat st, sys::stat_fd(root.get()));
  volume.device_ = st.st_dev;
  volume.root_inode_ = st.st_ino;
  volume.mountpoint_ = std::move(mountpoint);
  volume.root_ = std::move(root);
  return volume;
}

Result<bool> Volume::adopt_store(int directory) {
  RH_TRY(const struct stat wanted, sys::stat_fd(directory));
  if (wanted.st_dev != device_) return false;
  const auto handle = handle_of(directory);
  if (!handle) return false;
  auto found = open_handle(root_.get(), *handle, O_RDONLY);
  if (!found) return false;
  RH_TRY(const struct stat st, sys::stat_fd(found->get()));
  if (st.st_dev != wanted.st_dev || st.st_ino != wanted.st_ino) return false;
  RH_TRY(store_name_, sys::read_link_at(AT_FDCWD, sys::fd_path(directory).c_str()));
  store_ = std::move(*found);
  return true;
}

Result<void> Volume::make_store(const std::string& id) {
  struct stat before = {};
  RH_TRY(before, sys::stat_fd(root_.get()));
  auto made = sys::mkdir_at(root_.get(), kStoreDirectory, 0700);
  if (!made && made.error().err != EEXIST)
    return fail_for(
        made.error().err,
        "cannot make the directory " + mountpoint_ + "/" + kStoreDirectory + ": " + made.error().what,
        ExitCode::kCantCreate, "what is replaced is kept there");
  // That the directory was made is nothing the action did: its parent's time stays.
  const struct timespec times[2] = {{0, UTIME_OMIT}, before.st_mtim};
  if (made) (void)::utimensat(root_.get(), ".", times, 0);
  RH_TRY(const UniqueFd all,
         as_store(sys::open_at2(root_.get(), kStoreDirectory, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, kResolve),
                  mountpoint_));
  RH_TRY(const struct stat st, sys::stat_fd(all.get()));
  if (st.st_uid != 0 || (st.st_mode & 0077U) != 0)
    return fail("the directory " + mountpoint_ + "/" + kStoreDirectory + " is open to others than root",
                ExitCode::kConfig, "remove it, or: chmod 0700, chown root");
  made = sys::mkdir_at(all.get(), id.c_str(), 0700);
  if (!made && made.error().err != EEXIST) return made;
  return open_store(id);
}

Result<void> Volume::open_store(const std::string& id) {
  const std::string rel = std::string(kStoreDirectory) + '/' + id;
  RH_TRY(store_,
         as_store(sys::open_at2(root_.get(), rel.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, kResolve),
                  mountpoint_));
  store_name_ = (mountpoint_ == "/" ? "" : mountpoint_) + '/' + rel;
  return {};
}

Result<void> Volume::remove_store(const std::string& id) {
  RH_TRY(const struct stat before, sys::stat_fd(root_.get()));
  const auto all =
      sys::open_at2(root_.get(), kStoreDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, kResolve);
  if (!all && all.error().err == ENOENT) return {};
  if (!all) return tl::make_unexpected(all.error());
  store_.reset();
  RH_CHECK(remove_tree(all->get(), id.c_str()));
  if (!sys::unlink_at(root_.get(), kStoreDirectory, AT_REMOVEDIR))
    return sys::sync_file(all->get());  // other runs keep something there
  const struct timespec times[2] = {{0, UTIME_OMIT}, before.st_mtim};
  (void)::utimensat(root_.get(), ".", times, 0);
  // Whoever forgets the store's journal next must not see the store again after a power cut.
  RH_TRY(const auto top, sys::open_at2(root_.get(), ".", O_RDONLY | O_DIRECTORY, 0, kResolve));
  return sys::sync_file(top.get());
}

Result<int> Volume::parent(const Place& place) {
  return parents_[static_cast<std::size_t>(place.area)].open(area(place.area), parent_of(place.path));
}

Result<std::optional<struct stat>> Volume::find(const Place& place) {
  if (place.path.empty()) {
    RH_TRY(const struct stat st, sys::stat_fd(area(place.area)));
    return std::optional(st);
  }
  RH_TRY(const int dir, parent(place));
  struct stat st = {};
  if (::fstatat(dir, std::string(leaf_of(place.path)).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0)
    return std::optional(st);
  if (errno == ENOENT) return std::optional<struct stat>();
  return sys::last_error("fstatat", place.path);
}

void Volume::forget_parents() {
  for (ParentCache& cache : parents_) cache.forget();
}

Result<void> check_free(const Volume& volume, std::uint64_t bytes, std::uint64_t inodes, Reserve reserve,
                        const char* what) {
  struct statvfs vfs = {};
  if (::fstatvfs(volume.root(), &vfs) != 0) return sys::last_error("statvfs", volume.mountpoint());
  const std::uint64_t room =
      std::uint64_t{reserve == Reserve::kUsed ? vfs.f_bfree : vfs.f_bavail} * vfs.f_frsize;
  const bool counts_inodes = vfs.f_files != 0;
  const bool counts_blocks = vfs.f_blocks != 0;  // ramfs does not
  if (counts_blocks && bytes > room)
    return fail_for(ENOSPC,
                    fmt::format("{} needs {} for {} and has {}", volume.mountpoint(), format_bytes(bytes),
                                what, format_bytes(room)),
                    ExitCode::kCantCreate, "make room there");
  if (counts_inodes && inodes > vfs.f_favail)
    return fail_for(ENOSPC,
                    fmt::format("{} needs {} inodes for {} and has {}", volume.mountpoint(), inodes, what,
                                static_cast<std::uint64_t>(vfs.f_favail)),
                    ExitCode::kCantCreate, "remove files there");
  return {};
}

Error name_full(Error error, const Volume& volume, std::string_view so) {
  if (error.err != ENOSPC && error.err != EDQUOT) return error;
  error.exit = ExitCode::kCantCreate;
  error.fix = "make room on " + volume.mountpoint();
  if (!so.empty()) error.fix.append("; ").append(so);
  return error;
}

std::string Volume::shown(const Place& place) const {
  if (place.area == Area::kStore) return store_name_ + '/' + place.path;
  return (mountpoint_ == "/" ? "" : mountpoint_) + '/' + place.path;
}

}  // namespace rehearse::promote
