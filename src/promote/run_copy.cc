#include "promote/run_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include <cerrno>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/overlay.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::FileType;

/// A file as large as this is not read again where its inode, generation and change time are those of the
/// moment when it was digested: nobody has written to it since.
constexpr std::uint64_t kLarge = std::uint64_t{16} << 20U;

tl::unexpected<Error> not_as_recorded(const Change& record, const char* what) {
  return fail(record.path + ": the run's copy has another " + what + " than its record", ExitCode::kDataError,
              "the bundle was changed; rehearse again");
}

Result<void> compare_attributes(const Attributes& now, const Change& record) {
  const Attributes& wanted = *record.after;
  if (now.mode != wanted.mode) return not_as_recorded(record, "mode");
  if (now.uid != wanted.uid || now.gid != wanted.gid) return not_as_recorded(record, "owner");
  if (now.mtime_ns != wanted.mtime_ns) return not_as_recorded(record, "modification time");
  if (now.target != wanted.target) return not_as_recorded(record, "target");
  const bool device = record.type == FileType::kCharDevice || record.type == FileType::kBlockDevice;
  if (device && now.rdev != wanted.rdev) return not_as_recorded(record, "device number");
  if (settings_of(now).xattrs != settings_of(wanted).xattrs)
    return not_as_recorded(record, "set of extended attributes");
  // The run's own are overlayfs's attributes, not flags.
  constexpr unsigned kForeignFlags = FS_IMMUTABLE_FL | FS_APPEND_FL;
  if ((now.flags & kForeignFlags) != 0 || (now.flags & kKeptFlags) != (wanted.flags & kKeptFlags))
    return not_as_recorded(record, "set of flags");
  return {};
}

/// `list(buffer, size)` and `remove(name)`: the calls of xattr(7), whatever they name the object by.
template <class List, class Remove>
Result<void> remove_overlay_xattrs(const List& list, const Remove& remove) {
  std::string names(4096, '\0');
  ssize_t size = 0;
  while ((size = list(names.data(), names.size())) < 0) {
    if (errno == EOPNOTSUPP) return {};
    if (errno != ERANGE || names.size() > (1U << 20U)) return sys::last_error("listxattr");
    names.resize(names.size() * 8);
  }
  for (const char* name = names.data(); name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (!std::string_view(name).starts_with(effects::kOverlayPrefix)) continue;
    if (remove(name) != 0 && errno != ENODATA) return sys::last_error("removexattr", name);
  }
  return {};
}

/// The project that limits the run's writing must not follow its files to the host.
void leave_project(int file) {
  struct fsxattr attributes = {};
  if (::ioctl(file, FS_IOC_FSGETXATTR, &attributes) != 0) return;
  if (attributes.fsx_projid == 0 && (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) == 0) return;
  attributes.fsx_projid = 0;
  attributes.fsx_xflags &= ~static_cast<unsigned>(FS_XFLAG_PROJINHERIT);
  (void)::ioctl(file, FS_IOC_FSSETXATTR, &attributes);
}

Result<void> clear_open(int file) {
  RH_CHECK(
      remove_overlay_xattrs([&](char* names, std::size_t room) { return ::flistxattr(file, names, room); },
                            [&](const char* name) { return ::fremovexattr(file, name); }));
  leave_project(file);
  return {};
}

Result<void> clear_closed(int dir, const std::string& name) {
  const UniqueFd object(::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!object.valid()) return sys::last_error("open", name);
  const std::string path = sys::fd_path(object.get());
  return remove_overlay_xattrs(
      [&](char* names, std::size_t room) { return ::listxattr(path.c_str(), names, room); },
      [&](const char* xattr) { return ::removexattr(path.c_str(), xattr); });
}

Result<struct stat> check_file(int dir, const std::string& name, std::optional<struct stat> st,
                               const Change& record, Leftovers leftovers, Compared compared) {
  const Attributes& wanted = *record.after;
  if (!wanted.sha256)
    return fail(record.path + " has no digest on record: it cannot be known to be the same",
                ExitCode::kDataError, "leave it out: --except " + record.path);
  RH_TRY(const UniqueFd file, effects::open_file(dir, name.c_str(), st));
  if (compared == Compared::kAttributes) {
    RH_TRY(const Attributes now, effects::read_open_file(file.get(), *st, effects::Content::kSkip));
    RH_CHECK(compare_attributes(now, record));
    return *st;
  }
  const bool untouched = wanted.size >= kLarge && st->st_ino == wanted.ino && st->st_dev == wanted.dev &&
                         to_ns(st->st_ctim) == wanted.ctime_ns;
  RH_TRY(const Attributes now,
         effects::read_open_file(file.get(), *st,
                                 untouched ? effects::Content::kSkip : effects::content_as(wanted)));
  if (now.size != wanted.size) return not_as_recorded(record, "size");
  if (!untouched && now.sha256 != wanted.sha256) return not_as_recorded(record, "content");
  if (untouched && now.generation != wanted.generation) return not_as_recorded(record, "generation");
  RH_CHECK(compare_attributes(now, record));
  if (leftovers == Leftovers::kRemove) RH_CHECK(clear_open(file.get()));
  return sys::stat_fd(file.get());
}

Result<void> check_other(int dir, const std::string& name, std::optional<struct stat> st,
                         const Change& record, Leftovers leftovers) {
  RH_TRY(const Attributes now, effects::read_attributes(dir, name.c_str(), st, effects::Content::kSkip));
  RH_CHECK(compare_attributes(now, record));
  if (leftovers == Leftovers::kNone) return {};
  if (record.type != FileType::kDir) return clear_closed(dir, name);
  RH_TRY(const UniqueFd directory, sys::open_beneath(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return clear_open(directory.get());
}

}  // namespace

Result<struct stat> check_run_copy(int dir, const std::string& name, const Change& record,
                                   Leftovers leftovers, Compared compared) {
  RH_TRY(const struct stat st, sys::stat_at(dir, name.c_str(), AT_SYMLINK_NOFOLLOW));
  if (effects::file_type(st) != record.type) return not_as_recorded(record, "type");
  if (record.type == FileType::kFile) return check_file(dir, name, st, record, leftovers, compared);
  RH_CHECK(check_other(dir, name, st, record, leftovers));
  return sys::stat_at(dir, name.c_str(), AT_SYMLINK_NOFOLLOW);
}

}  // namespace rehearse::promote
