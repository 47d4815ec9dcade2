#include "promote/object_writer.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/sys.h"
#include "effects/attributes.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

constexpr const char* kCapability = "security.capability";
constexpr std::int64_t kSecond = 1'000'000'000;

struct timespec timespec_of(std::int64_t ns) {
  struct timespec t = {};
  t.tv_sec = ns / kSecond;
  t.tv_nsec = ns % kSecond;
  if (t.tv_nsec < 0) {
    t.tv_nsec += kSecond;
    --t.tv_sec;
  }
  return t;
}

bool is_overlays(std::string_view name) {
  return name.starts_with("trusted.overlay.");
}

Result<void> set_owner(int object, const Settings& wanted) {
  if (::fchownat(object, "", wanted.uid, wanted.gid, AT_EMPTY_PATH) != 0) return sys::last_error("chown");
  return {};
}

Result<void> set_mode(const std::string& path, std::uint32_t mode) {
  if (::chmod(path.c_str(), mode) != 0) return sys::last_error("chmod");
  return {};
}

Result<void> set_time(int object, std::int64_t mtime_ns) {
  struct timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1] = timespec_of(mtime_ns);
  if (::utimensat(object, "", times, AT_EMPTY_PATH) != 0) return sys::last_error("utimensat");
  return {};
}

/// Of the object that `path` (/proc/self/fd/N) stands for.
Result<void> set_xattrs(const std::string& path, const Settings& now, const Settings& wanted,
                        bool capability) {
  for (const auto& [name, value] : now.xattrs) {
    if ((name == kCapability) != capability || wanted.xattrs.contains(name)) continue;
    if (::removexattr(path.c_str(), name.c_str()) != 0 && errno != ENODATA)
      return sys::last_error("removexattr", name);
  }
  for (const auto& [name, value] : wanted.xattrs) {
    if ((name == kCapability) != capability) continue;
    const auto found = now.xattrs.find(name);
    if (found != now.xattrs.end() && found->second == value) continue;
    if (::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0)
      return sys::last_error("setxattr", name);
  }
  return {};
}

Result<void> set_flags(const std::string& path, std::uint32_t flags) {
  RH_TRY(const UniqueFd file, sys::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY));
  unsigned now = 0;
  if (::ioctl(file.get(), FS_IOC_GETFLAGS, &now) != 0) return {};
  const unsigned wanted = (now & ~kKeptFlags) | flags;
  if (now != wanted && ::ioctl(file.get(), FS_IOC_SETFLAGS, &wanted) != 0)
    return sys::last_error("FS_IOC_SETFLAGS");
  return {};
}

Result<void> write_at(int fd, const char* data, std::size_t size, off_t offset) {
  while (size > 0) {
    const ssize_t n = ::pwrite(fd, data, size, offset);
    if (n < 0) {
      if (errno == EINTR) continue;
      return sys::last_error("write");
    }
    data += n;
    size -= static_cast<std::size_t>(n);
    offset += n;
  }
  return {};
}

/// Bytes [from, to) of a file, by read and write.
Result<void> copy_range(int source, int target, off_t from, off_t to, char* buffer, std::size_t room) {
  while (from < to) {
    const auto want = static_cast<std::size_t>(std::min<off_t>(to - from, static_cast<off_t>(room)));
    const ssize_t n = ::pread(source, buffer, want, from);
    if (n < 0) {
      if (errno == EINTR) continue;
      return sys::last_error("read");
    }
    if (n == 0) return fail("it became shorter while it was copied");
    RH_CHECK(write_at(target, buffer, static_cast<std::size_t>(n), from));
    from += n;
  }
  return {};
}

/// An O_PATH descriptor of `name` in `dir`; `name` "" is `dir`. A name has one component.
Result<UniqueFd> open_itself(int dir, const std::string& name) {
  if (name.empty()) return sys::dup(dir);
  const int fd = ::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return sys::last_error("open", name);
  return UniqueFd(fd);
}

Result<Settings> read_settings_of(int object, FileType type) {
  RH_TRY(const struct stat st, sys::stat_fd(object));
  Settings settings;
  settings.mode = st.st_mode & 07777U;
  settings.uid = st.st_uid;
  settings.gid = st.st_gid;
  settings.mtime_ns = std::int64_t{st.st_mtim.tv_sec} * kSecond + st.st_mtim.tv_nsec;
  const std::string path = sys::fd_path(object);
  std::string names(1024, '\0');
  ssize_t size = 0;
  while ((size = ::listxattr(path.c_str(), names.data(), names.size())) < 0) {
    if (errno == EOPNOTSUPP) break;
    if (errno != ERANGE || names.size() > (1U << 20U)) return sys::last_error("listxattr");
    names.resize(names.size() * 8);
  }
  for (const char* name = names.data(); size > 0 && name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (is_overlays(name) || !is_carried(name)) continue;
    std::string value(256, '\0');
    ssize_t length = 0;
    while ((length = ::getxattr(path.c_str(), name, value.data(), value.size())) < 0) {
      if (errno != ERANGE || value.size() > (1U << 20U)) break;
      value.resize(value.size() * 8);
    }
    if (length < 0) {
      if (errno == ENODATA) continue;
      return sys::last_error("getxattr", name);
    }
    value.resize(static_cast<std::size_t>(length));
    settings.xattrs[name] = std::move(value);
  }
  if (type == FileType::kFile || type == FileType::kDir) {
    if (auto file = sys::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY)) {
      unsigned flags = 0;
      if (::ioctl(file->get(), FS_IOC_GETFLAGS, &flags) == 0) settings.flags = flags & kKeptFlags;
    }
  }
  return settings;
}

}  // namespace

Result<Settings> read_settings(int dir, const std::string& name, FileType type) {
  RH_TRY(const UniqueFd object, open_itself(dir, name));
  return read_settings_of(object.get(), type);
}

Result<void> apply_settings(int dir, const std::string& name, FileType type, const Settings& wanted) {
  RH_TRY(const UniqueFd object, open_itself(dir, name));
  RH_TRY(const Settings now, read_settings_of(object.get(), type));
  const std::string path = sys::fd_path(object.get());
  const bool symlink = type == FileType::kSymlink;
  const bool other_owner = now.uid != wanted.uid || now.gid != wanted.gid;
  // Only what both the old and the new state allow, while the owner changes.
  if (other_owner && !symlink && (now.mode & ~wanted.mode) != 0)
    RH_CHECK(set_mode(path, now.mode & wanted.mode));
  if (other_owner) RH_CHECK(set_owner(object.get(), wanted));
  RH_CHECK(set_xattrs(path, now, wanted, false));
  if (!symlink) {
    RH_TRY(const struct stat st, sys::stat_fd(object.get()));
    if ((st.st_mode & 07777U) != wanted.mode) RH_CHECK(set_mode(path, wanted.mode));
  }
  if (now.xattrs.contains(kCapability) || wanted.xattrs.contains(kCapability)) {
    // A change of owner may have taken it away.
    RH_TRY(const Settings then, read_settings_of(object.get(), type));
    RH_CHECK(set_xattrs(path, then, wanted, true));
  }
  if ((type == FileType::kFile || type == FileType::kDir) && now.flags != wanted.flags)
    RH_CHECK(set_flags(path, wanted.flags));
  return now.mtime_ns == wanted.mtime_ns ? Result<void>() : set_time(object.get(), wanted.mtime_ns);
}

Result<void> copy_content(int source, int target) {
  if (::ioctl(target, FICLONE, source) == 0) return {};
  RH_TRY(const struct stat st, sys::stat_fd(source));
  if (::ftruncate(target, st.st_size) != 0) return sys::last_error("ftruncate");
  constexpr std::size_t kRoom = std::size_t{1} << 20U;
  std::unique_ptr<char[]> buffer;
  for (off_t at = 0; at < st.st_size;) {
    const off_t data = ::lseek(source, at, SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) return {};  // nothing but a hole to the end
      return sys::last_error("lseek");
    }
    const off_t hole = ::lseek(source, data, SEEK_HOLE);
    if (hole < 0) return sys::last_error("lseek");
    if (!buffer) buffer = std::make_unique_for_overwrite<char[]>(kRoom);
    RH_CHECK(copy_range(source, target, data, std::min(hole, st.st_size), buffer.get(), kRoom));
    at = hole;
  }
  return {};
}

Result<void> overwrite_content(int source, int target, std::uint64_t old_size) {
  RH_TRY(const struct stat wanted, sys::stat_fd(source));
  RH_TRY(const struct stat now, sys::stat_fd(target));
  if (static_cast<std::uint64_t>(now.st_size) != old_size)
    return fail("the file was written to meanwhile", ExitCode::kStale, "rehearse again");
  constexpr std::size_t kRoom = std::size_t{256} << 10U;
  const auto fresh = std::make_unique_for_overwrite<char[]>(kRoom);
  const auto old = std::make_unique_for_overwrite<char[]>(kRoom);
  for (off_t at = 0; at < wanted.st_size;) {
    const ssize_t n = ::pread(source, fresh.get(), kRoom, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? sys::last_error("read") : fail("the staged copy became shorter");
    const ssize_t m = ::pread(target, old.get(), static_cast<std::size_t>(n), at);
    if (m < 0) return sys::last_error("read");
    const auto* differs = std::mismatch(fresh.get(), fresh.get() + m, old.get()).first;
    const auto same = static_cast<std::size_t>(differs - fresh.get());
    if (same < static_cast<std::size_t>(n))
      RH_CHECK(write_at(target, fresh.get() + same, static_cast<std::size_t>(n) - same,
                        at + static_cast<off_t>(same)));
    at += n;
  }
  if (wanted.st_size < now.st_size && ::ftruncate(target, wanted.st_size) != 0)
    return sys::last_error("ftruncate");
  return {};
}

namespace {

/// Makes anything but a regular file, whose content its maker brings.
Result<void> make_node(int to, const std::string& name, FileType type,
                       const effects::Attributes& attributes) {
  const auto made = [&](int result, const char* call) -> Result<void> {
    if (result != 0) return sys::last_error(call, name);
    return {};
  };
  const auto device = static_cast<dev_t>(attributes.rdev);
  switch (type) {
    case FileType::kFile:
      break;
    case FileType::kDir:
      return sys::mkdir_at(to, name.c_str(), 0700);
    case FileType::kSymlink:
      return made(::symlinkat(attributes.target.c_str(), to, name.c_str()), "symlink");
    case FileType::kFifo:
      return made(::mknodat(to, name.c_str(), S_IFIFO | 0600, 0), "mkfifo");
    case FileType::kSocket:
      return made(::mknodat(to, name.c_str(), S_IFSOCK | 0600, 0), "mknod");
    case FileType::kCharDevice:
      return made(::mknodat(to, name.c_str(), S_IFCHR | 0600, device), "mknod");
    case FileType::kBlockDevice:
      return made(::mknodat(to, name.c_str(), S_IFBLK | 0600, device), "mknod");
  }
  return fail("not a kind of node");
}

Result<UniqueFd> make_file(int to, const std::string& name) {
  return sys::open_beneath(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

}  // namespace

Result<void> copy_object(int from, const std::string& source_name, int to, const std::string& name,
                         FileType type, const effects::Attributes& after) {
  if (type == FileType::kFile) {
    RH_TRY(const UniqueFd source,
           sys::open_beneath(from, source_name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    RH_TRY(const struct stat st, sys::stat_fd(source.get()));
    if (!S_ISREG(st.st_mode)) return fail(source_name + " is not a regular file", ExitCode::kDataError);
    RH_TRY(const UniqueFd target, make_file(to, name));
    RH_CHECK(copy_content(source.get(), target.get()));
  } else {
    RH_CHECK(make_node(to, name, type, after));
  }
  return apply_settings(to, name, type, settings_of(after));
}

Result<void> make_hollow(int to, const std::string& name, FileType type,
                         const effects::Attributes& attributes) {
  if (type == FileType::kFile) {
    RH_TRY(const UniqueFd file, make_file(to, name));
    if (::ftruncate(file.get(), static_cast<off_t>(attributes.size)) != 0)
      return sys::last_error("ftruncate", name);
  } else {
    RH_CHECK(make_node(to, name, type, attributes));
  }
  return apply_settings(to, name, type, settings_of(attributes));
}

Result<void> set_time(int dir, const std::string& name, std::int64_t mtime_ns) {
  const struct timespec times[2] = {{0, UTIME_OMIT}, timespec_of(mtime_ns)};
  const char* what = name.empty() ? "." : name.c_str();
  if (::utimensat(dir, what, times, AT_SYMLINK_NOFOLLOW) != 0) return sys::last_error("utimensat", name);
  return {};
}

}  // namespace rehearse::promote
