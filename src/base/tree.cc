#include "base/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/sys.h"

namespace rehearse {
namespace {

constexpr std::size_t kOpenLevels = 64;
constexpr std::size_t kBlock = std::size_t{32} * 1024;
constexpr std::uint64_t kDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME;
constexpr std::uint64_t kResolve =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

struct linux_dirent64 {  // getdents64(2): libc has no declaration
  std::uint64_t ino;
  std::int64_t off;
  unsigned short reclen;
  unsigned char type;
  char name[1];
};

/// A directory on the way down. Without `fd` it was closed to save descriptors and goes on at `next`.
struct Level {
  UniqueFd fd;
  dev_t dev = 0;
  ino_t ino = 0;
  std::string name;  ///< in its parent
  std::unique_ptr<char[]> block;
  std::size_t at = 0;
  std::size_t end = 0;
  std::int64_t next = 0;  ///< directory offset after the entry read last
  unsigned rewinds = 0;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  /// Anything but a directory.
  virtual Result<void> entry(int dir, const char* name) = 0;
  virtual Result<void> enter(int fd, const struct stat& st) = 0;
  /// All entries of directory `name` in `dir` were visited. False: visit it again from its start.
  virtual Result<bool> leave(int dir, const char* name, unsigned rewinds) = 0;
};

Result<Level> open_level(int dir, std::string name, Visitor& visitor) {
  Level level;
  RH_TRY(level.fd, sys::open_at2(dir, name.c_str(), kDirFlags, 0, kResolve));
  RH_TRY(const struct stat st, sys::stat_fd(level.fd.get()));
  level.dev = st.st_dev;
  level.ino = st.st_ino;
  level.name = std::move(name);
  RH_CHECK(visitor.enter(level.fd.get(), st));
  return level;
}

/// The next entry of the level, nullptr at its end.
Result<const linux_dirent64*> next_entry(Level& level) {
  while (true) {
    if (level.at >= level.end) {
      if (!level.block) level.block = std::make_unique<char[]>(kBlock);
      const long n = ::syscall(SYS_getdents64, level.fd.get(), level.block.get(), kBlock);
      if (n < 0) return sys::last_error("getdents64");
      if (n == 0) return nullptr;
      level.at = 0;
      level.end = static_cast<std::size_t>(n);
    }
    const auto* entry = reinterpret_cast<const linux_dirent64*>(level.block.get() + level.at);
    level.at += entry->reclen;
    level.next = entry->off;
    const std::string_view name(entry->name);
    if (name != "." && name != "..") return entry;
  }
}

/// Reopens a level that was closed, from its child's "..".
Result<void> reopen(Level& level, int child) {
  if (level.fd.valid()) return {};
  RH_TRY(UniqueFd fd, sys::open_at2(child, "..", kDirFlags, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
  RH_TRY(const struct stat st, sys::stat_fd(fd.get()));
  if (st.st_dev != level.dev || st.st_ino != level.ino)
    return fail("a directory was moved while it was walked");
  if (::lseek(fd.get(), level.next, SEEK_SET) < 0) return sys::last_error("lseek");
  level.fd = std::move(fd);
  return {};
}

void close_level(Level& level) {
  level.fd.reset();
  level.block.reset();
  level.at = level.end = 0;
}

Result<bool> is_directory(int dir, const linux_dirent64& entry) {
  if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
  RH_TRY(const struct stat st, sys::stat_at(dir, entry.name, AT_SYMLINK_NOFOLLOW));
  return S_ISDIR(st.st_mode);
}

Result<void> walk(int dir, const char* name, Visitor& visitor) {
  std::vector<Level> levels;
  RH_TRY(Level first, open_level(dir, name, visitor));
  levels.push_back(std::move(first));
  while (!levels.empty()) {
    Level& level = levels.back();
    RH_TRY(const linux_dirent64* entry, next_entry(level));
    if (entry != nullptr) {
      RH_TRY(const bool directory, is_directory(level.fd.get(), *entry));
      if (!directory) {
        RH_CHECK(visitor.entry(level.fd.get(), entry->name));
        continue;
      }
      RH_TRY(Level child, open_level(level.fd.get(), entry->name, visitor));
      levels.push_back(std::move(child));
      if (levels.size() > kOpenLevels) close_level(levels[levels.size() - 1 - kOpenLevels]);
      continue;
    }
    int parent = dir;
    if (levels.size() > 1) {
      RH_CHECK(reopen(levels[levels.size() - 2], level.fd.get()));
      parent = levels[levels.size() - 2].fd.get();
    }
    RH_TRY(const bool done, visitor.leave(parent, level.name.c_str(), level.rewinds));
    if (done) {
      levels.pop_back();
      continue;
    }
    ++level.rewinds;
    level.at = level.end = 0;
    if (::lseek(level.fd.get(), 0, SEEK_SET) < 0) return sys::last_error("lseek");
  }
  return {};
}

/// Clears what makes unlink fail with EPERM; errors are left to the second try of the caller.
void clear_flags(int fd) {
  unsigned flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return;
  const unsigned kept = flags & ~unsigned{FS_IMMUTABLE_FL | FS_APPEND_FL};
  if (kept != flags) ::ioctl(fd, FS_IOC_SETFLAGS, &kept);
}

Result<void> unlink_hard(int dir, const char* name, int flags) {
  if (::unlinkat(dir, name, flags) == 0 || errno == ENOENT) return {};
  if (errno == EPERM || errno == EACCES) {
    clear_flags(dir);
    const struct stat nothing = {};
    // Only regular files and directories carry the flags. O_NOCTTY and O_NONBLOCK: a FIFO must not hold us.
    const struct stat st = sys::stat_at(dir, name, AT_SYMLINK_NOFOLLOW).value_or(nothing);
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
      auto fd = sys::open_at2(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, kResolve);
      if (fd) clear_flags(fd->get());
    }
    if (::unlinkat(dir, name, flags) == 0) return {};
  }
  return sys::last_error("unlink", name);
}

class Remover final : public Visitor {
 public:
  Result<void> entry(int dir, const char* name) override { return unlink_hard(dir, name, 0); }
  Result<void> enter(int fd, const struct stat& /*st*/) override {
    unsigned flags = 0;
    if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0)
      clear_flags(fd);
    return {};
  }
  Result<bool> leave(int dir, const char* name, unsigned rewinds) override {
    auto removed = unlink_hard(dir, name, AT_REMOVEDIR);
    if (removed) return true;
    // Some filesystems skip entries when others go while the directory is read.
    if ((removed.error().err == ENOTEMPTY || removed.error().err == EEXIST) && rewinds < kMaxRewinds)
      return false;
    return tl::make_unexpected(std::move(removed).error());
  }

 private:
  static constexpr unsigned kMaxRewinds = 1000;
};

class Meter final : public Visitor {
 public:
  Result<void> entry(int dir, const char* name) override {
    RH_TRY(const struct stat st, sys::stat_at(dir, name, AT_SYMLINK_NOFOLLOW));
    if (st.st_nlink < 2 || links_.emplace(st.st_dev, st.st_ino).second) count(st);
    return {};
  }
  Result<void> enter(int /*fd*/, const struct stat& st) override {
    count(st);
    return {};
  }
  Result<bool> leave(int /*dir*/, const char* /*name*/, unsigned /*rewinds*/) override { return true; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void count(const struct stat& st) { bytes_ += static_cast<std::uint64_t>(st.st_blocks) * 512; }
  std::set<std::pair<dev_t, ino_t>> links_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<void> remove_tree(int dir, const char* name) {
  struct stat st = {};
  if (::fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return sys::last_error("fstatat", name);
  }
  if (!S_ISDIR(st.st_mode)) return unlink_hard(dir, name, 0);
  Remover remover;
  return walk(dir, name, remover);
}

Result<std::uint64_t> tree_bytes(int dir, const char* name) {
  Meter meter;
  RH_CHECK(walk(dir, name, meter));
  return meter.bytes();
}

}  // namespace rehearse
