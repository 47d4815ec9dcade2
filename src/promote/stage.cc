#include "promote/stage.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "effects/overlay.h"
#include "promote/object_writer.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::FileType;

/// A file as large as this is not read again where its inode, generation and change time are those of the
/// moment when it was digested: nobody has written to it since.
constexpr std::uint64_t kLarge = std::uint64_t{16} << 20U;

tl::unexpected<Error> not_as_recorded(const Change& change, const char* what) {
  return fail(change.path + ": the run's copy has another " + what + " than its record", ExitCode::kDataError,
              "the bundle was changed; rehearse again");
}

/// Overlayfs's own attributes of the object that `path` (/proc/self/fd/N) stands for.
Result<void> remove_overlay_xattrs(const std::string& path) {
  std::string names(4096, '\0');
  ssize_t size = 0;
  while ((size = ::listxattr(path.c_str(), names.data(), names.size())) < 0) {
    if (errno == EOPNOTSUPP) return {};
    if (errno != ERANGE || names.size() > (1U << 20U)) return sys::last_error("listxattr");
    names.resize(names.size() * 8);
  }
  for (const char* name = names.data(); name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (!std::string_view(name).starts_with(effects::kOverlayPrefix)) continue;
    if (::removexattr(path.c_str(), name) != 0 && errno != ENODATA)
      return sys::last_error("removexattr", name);
  }
  return {};
}

/// The project that limits the run's writing must not follow its files to the host.
void leave_project(const std::string& path) {
  const auto file = sys::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return;
  struct fsxattr attributes = {};
  if (::ioctl(file->get(), FS_IOC_FSGETXATTR, &attributes) != 0) return;
  if (attributes.fsx_projid == 0 && (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) == 0) return;
  attributes.fsx_projid = 0;
  attributes.fsx_xflags &= ~static_cast<unsigned>(FS_XFLAG_PROJINHERIT);
  (void)::ioctl(file->get(), FS_IOC_FSSETXATTR, &attributes);
}

}  // namespace

Stager::Stager(std::span<const Change> changes, const LayerPlan& plan, Volume& volume, int upper,
               bool adopted, std::string tag)
    : changes_(changes),
      plan_(plan),
      volume_(volume),
      upper_(upper),
      adopted_(adopted),
      tag_(std::move(tag)) {
  index();
}

void Stager::index() {
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Change& change = changes_[i];
    if (change.layer != plan_.layer || !change.after) continue;
    const std::string path(below_mount(change.path, plan_.mountpoint));
    if (now_.emplace(path, i).second && !path.empty()) ++children_[std::string(parent_of(path))];
  }
}

Result<void> Stager::prepare() {
  for (const char* name : {kKept, kNew}) {
    if (adopted_ && name == kNew) continue;
    auto made = sys::mkdir_at(volume_.store(), name, 0700);
    if (!made && made.error().err != EEXIST) return made;
  }
  return {};
}

Result<Staged> Stager::staged(Place place) {
  RH_TRY(const auto st, volume_.find(place));
  if (!st) return fail("a staged object is gone: " + volume_.shown(place));
  return Staged{std::move(place), facts_of(*st)};
}

Result<Staged> Stager::stage(const StageItem& item) {
  const Change& change = changes_[item.change];
  auto result = item.how == StageItem::How::kDirectory ? stage_directory(change)
                : adopted_                             ? adopt(item)
                                                       : copy(item);
  if (!result) {
    Error error = result.error();
    if (error.err == ENOSPC || error.err == EDQUOT) {
      error.exit = ExitCode::kCantCreate;
      error.fix = "make room on " + volume_.mountpoint() + "; nothing of the host has changed";
    }
    return with_context(std::move(error), "preparing " + change.path);
  }
  return result;
}

Result<Staged> Stager::stage_directory(const Change& change) {
  Place place{Area::kStore, std::string(kKept) + '/' + tag_ + 'd' + std::to_string(count_++)};
  RH_TRY(const int dir, volume_.parent(place));
  const std::string name(leaf_of(place.path));
  RH_CHECK(sys::mkdir_at(dir, name.c_str(), 0700));
  RH_CHECK(apply_settings(dir, name, FileType::kDir, settings_of(*change.after)));
  return staged(std::move(place));
}

/// The upper's object under its own name, or under another name of the same object.
Result<Place> Stager::find_in_upper(const StageItem& item) {
  const Change& change = changes_[item.change];
  const std::string own = "upper/" + item.path;
  const auto opened = open_below(upper_, parent_of(own), O_PATH | O_DIRECTORY);
  const bool here =
      opened && ::faccessat(opened->get(), std::string(leaf_of(own)).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (here) return Place{Area::kStore, own};
  if (change.type == FileType::kDir)
    return fail("the run's copy is gone", ExitCode::kDataError, "rehearse again");
  // A name that only the overlay's index knows: the object lies there, or under another of its names.
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Change& other = changes_[i];
    if (other.layer != plan_.layer || !other.after || other.after->ino != change.after->ino) continue;
    std::string path = "upper/";
    path += below_mount(other.path, plan_.mountpoint);
    const auto parent = open_below(upper_, parent_of(path), O_PATH | O_DIRECTORY);
    struct stat st = {};
    if (parent &&
        ::fstatat(parent->get(), std::string(leaf_of(path)).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_ino == change.after->ino)
      return Place{Area::kStore, path};
  }
  for (const char* where : {"work/index", kKept}) {
    const auto directory = open_below(upper_, where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;
    RH_TRY(const auto names, effects::Listing::read(directory->get()));
    for (const effects::Listed& entry : names) {
      if (entry.ino == change.after->ino)
        return Place{Area::kStore, std::string(where) + '/' + std::string(entry.name)};
    }
  }
  return fail("the run's copy is gone", ExitCode::kDataError, "rehearse again");
}

Result<void> Stager::verify(int dir, const std::string& name, const Change& change) const {
  const Attributes& wanted = *change.after;
  std::optional<struct stat> st;
  RH_TRY(st, sys::stat_at(dir, name.c_str(), AT_SYMLINK_NOFOLLOW));
  if (effects::file_type(*st) != change.type) return not_as_recorded(change, "type");
  const bool file = change.type == FileType::kFile;
  if (file && !wanted.sha256)
    return fail(change.path + " has no digest on record: it cannot be known to be the same",
                ExitCode::kDataError, "leave it out: --except " + change.path);
  const bool untouched = file && wanted.size >= kLarge && st->st_ino == wanted.ino &&
                         st->st_dev == wanted.dev && to_ns(st->st_ctim) == wanted.ctime_ns;
  RH_TRY(const Attributes now,
         effects::read_attributes(dir, name.c_str(), st,
                                  untouched ? effects::Content::kSkip : effects::content_as(wanted)));
  if (file && now.size != wanted.size) return not_as_recorded(change, "size");
  if (file && !untouched && now.sha256 != wanted.sha256) return not_as_recorded(change, "content");
  if (untouched && now.generation != wanted.generation) return not_as_recorded(change, "generation");
  if (now.mode != wanted.mode) return not_as_recorded(change, "mode");
  if (now.uid != wanted.uid || now.gid != wanted.gid) return not_as_recorded(change, "owner");
  if (now.mtime_ns != wanted.mtime_ns) return not_as_recorded(change, "modification time");
  if (now.target != wanted.target) return not_as_recorded(change, "target");
  const bool device = change.type == FileType::kCharDevice || change.type == FileType::kBlockDevice;
  if (device && now.rdev != wanted.rdev) return not_as_recorded(change, "device number");
  if (settings_of(now).xattrs != settings_of(wanted).xattrs)
    return not_as_recorded(change, "set of extended attributes");
  if ((now.flags & kKeptFlags) != (wanted.flags & kKeptFlags)) return not_as_recorded(change, "set of flags");
  return {};
}

Result<void> Stager::clear_overlay(int dir, const std::string& name, FileType type) const {
  const UniqueFd object(::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!object.valid()) return sys::last_error("open", name);
  const std::string path = sys::fd_path(object.get());
  RH_CHECK(remove_overlay_xattrs(path));
  if (type == FileType::kFile || type == FileType::kDir) leave_project(path);
  return {};
}

/// A new directory moves as a whole: each object in it must be on record, and be as recorded.
Result<void> Stager::verify_tree(int dir, const std::string& name, std::size_t change,
                                 const std::string& path) {
  const Change& record = changes_[change];
  RH_CHECK(verify(dir, name, record));
  RH_CHECK(clear_overlay(dir, name, record.type));
  if (record.type != FileType::kDir) return {};
  RH_TRY(const UniqueFd directory, sys::open_beneath(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const auto names, effects::Listing::read(directory.get()));
  for (const effects::Listed& entry : names) {
    const std::string child(entry.name);
    const auto found = now_.find(path + '/' + child);
    if (found == now_.end())
      return fail(record.path + '/' + child + " is in the run's copy and has no record", ExitCode::kDataError,
                  "the bundle was changed; rehearse again");
    RH_CHECK(verify_tree(directory.get(), child, found->second, path + '/' + child));
  }
  std::size_t recorded = 0;
  if (const auto children = children_.find(path); children != children_.end()) recorded = children->second;
  if (recorded != names.size())
    return fail(record.path + ": the run's copy lacks objects that are on record", ExitCode::kDataError,
                "the bundle was changed; rehearse again");
  return {};
}

Result<Staged> Stager::adopt(const StageItem& item) {
  const Change& change = changes_[item.change];
  RH_TRY(Place place, find_in_upper(item));
  RH_TRY(const int dir, volume_.parent(place));
  const std::string name(leaf_of(place.path));
  if (change.type == FileType::kDir) {
    RH_TRY(const UniqueFd own, sys::dup(dir));
    // One that was on the host and came back here by an exchange has a new time on xfs.
    RH_CHECK(set_time(own.get(), name, change.after->mtime_ns));
    RH_CHECK(verify_tree(own.get(), name, item.change, item.path));
    return staged(std::move(place));
  }
  RH_CHECK(verify(dir, name, change));
  RH_CHECK(clear_overlay(dir, name, change.type));
  const bool own = place.path == "upper/" + item.path || place.path.starts_with(kKept);
  if (own && used_.insert(place.path).second) return staged(std::move(place));
  Place link{Area::kStore, std::string(kKept) + '/' + tag_ + 'l' + std::to_string(count_++)};
  RH_TRY(const UniqueFd from, sys::dup(dir));
  RH_TRY(const int to, volume_.parent(link));
  RH_CHECK(sys::link_at(from.get(), name.c_str(), to, std::string(leaf_of(link.path)).c_str()));
  return staged(std::move(link));
}

Result<void> Stager::copy_tree(int from, const std::string& name, int to, const std::string& new_name,
                               std::size_t change, const std::string& path) {
  const Change& record = changes_[change];
  const Attributes& after = *record.after;
  if (record.type != FileType::kDir && after.nlink > 1) {
    if (const auto known = links_.find(after.ino); known != links_.end()) {
      RH_TRY(const UniqueFd parent,
             open_below(volume_.store(), parent_of(known->second.path), O_PATH | O_DIRECTORY));
      return sys::link_at(parent.get(), std::string(leaf_of(known->second.path)).c_str(), to,
                          new_name.c_str());
    }
  }
  RH_CHECK(copy_object(from, name, to, new_name, record.type, after));
  if (record.type != FileType::kDir) return verify(to, new_name, record);
  RH_TRY(const UniqueFd source, sys::open_beneath(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const UniqueFd target, sys::open_beneath(to, new_name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const auto names, effects::Listing::read(source.get()));
  for (const effects::Listed& entry : names) {
    const std::string child(entry.name);
    const auto found = now_.find(path + '/' + child);
    if (found == now_.end())
      return fail(record.path + '/' + child + " is in the run's copy and has no record", ExitCode::kDataError,
                  "the bundle was changed; rehearse again");
    RH_CHECK(copy_tree(source.get(), child, target.get(), child, found->second, path + '/' + child));
    const Change& made = changes_[found->second];
    if (made.type != FileType::kDir && made.after->nlink > 1)
      links_.emplace(made.after->ino, Place{Area::kStore, where_ + path.substr(top_.size()) + '/' + child});
  }
  std::size_t recorded = 0;
  if (const auto children = children_.find(path); children != children_.end()) recorded = children->second;
  if (recorded != names.size())
    return fail(record.path + ": the run's copy lacks objects that are on record", ExitCode::kDataError,
                "the bundle was changed; rehearse again");
  // Its entries have moved its time.
  RH_CHECK(apply_settings(to, new_name, FileType::kDir, settings_of(after)));
  return verify(to, new_name, record);
}

Result<Staged> Stager::copy(const StageItem& item) {
  const Change& change = changes_[item.change];
  RH_TRY(const Place source, find_in_upper(item));
  RH_TRY(const UniqueFd from, open_below(upper_, parent_of(source.path), O_PATH | O_DIRECTORY));
  Place place{Area::kStore, std::string(kNew) + '/' + tag_ + std::to_string(count_++)};
  RH_TRY(const int to, volume_.parent(place));
  where_ = place.path;
  top_ = item.path;
  RH_CHECK(copy_tree(from.get(), std::string(leaf_of(source.path)), to, std::string(leaf_of(place.path)),
                     item.change, item.path));
  if (change.type != FileType::kDir && change.after->nlink > 1) links_.emplace(change.after->ino, place);
  return staged(std::move(place));
}

}  // namespace rehearse::promote
