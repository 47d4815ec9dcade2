#include "base/sys.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

// libc's <sys/mount.h> and <linux/mount.h> cannot both be included with glibc 2.36.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*) noexcept;
extern "C" int umount2(const char*, int) noexcept;

namespace rehearse::sys {
namespace {

template <class... Args>
long raw(long number, Args... args) {
  long result = 0;
  do {
    result = ::syscall(number, args...);
  } while (result == -1 && errno == EINTR);
  return result;
}

Result<UniqueFd> as_fd(long result, std::string_view call, std::string_view thing) {
  if (result < 0) return last_error(call, thing);
  return UniqueFd(static_cast<int>(result));
}

/// Of a mount, ENOSPC speaks of no disk.
template <class T>
Result<T> explain_full(Result<T> result) {
  if (result || result.error().err != ENOSPC) return result;
  result.error().exit = ExitCode::kUnavailable;
  result.error().fix = "a mount namespace has as many mounts as it may: raise fs.mount-max";
  return result;
}

Result<void> as_void(long result, std::string_view call, std::string_view thing) {
  if (result < 0) return last_error(call, thing);
  return {};
}

}  // namespace

tl::unexpected<Error> last_error(std::string_view call, std::string_view thing) {
  const int err = errno;
  std::string what(call);
  if (!thing.empty()) {
    what += ' ';
    what += thing;
  }
  return fail_errno(err, std::move(what));
}

std::string fd_path(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

Result<UniqueFd> open_at2(int dir, const char* path, std::uint64_t flags, std::uint64_t mode,
                          std::uint64_t resolve) {
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  // EAGAIN: something on the way was renamed meanwhile. Who renames for ever, or holds a lease on what is
  // opened with O_NONBLOCK, does not keep us.
  constexpr int kMostRaces = 64;
  long fd = -1;
  int races = 0;
  do {
    fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
  } while (fd == -1 && (errno == EINTR || (errno == EAGAIN && ++races < kMostRaces)));
  return as_fd(fd, "open", path);
}

Result<UniqueFd> open_beneath(int dir, const char* path, std::uint64_t flags, std::uint64_t mode) {
  return open_at2(dir, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Result<UniqueFd> open(const char* path, int flags, mode_t mode) {
  return as_fd(raw(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode), "open", path);
}

Result<UniqueFd> dup(int fd) {
  return dup_above(fd, 3);
}

Result<UniqueFd> dup_above(int fd, int lowest) {
  return as_fd(raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest), "fcntl", "F_DUPFD_CLOEXEC");
}

Result<void> mkdir_at(int dir, const char* path, mode_t mode) {
  return as_void(raw(SYS_mkdirat, dir, path, mode), "mkdir", path);
}

Result<void> unlink_at(int dir, const char* path, int flags) {
  return as_void(raw(SYS_unlinkat, dir, path, flags), "unlink", path);
}

Result<void> rename_at(int from_dir, const char* from, int to_dir, const char* to) {
  return as_void(raw(SYS_renameat, from_dir, from, to_dir, to), "rename", from);
}

Result<void> rename_at2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return as_void(raw(SYS_renameat2, from_dir, from, to_dir, to, flags), "rename", from);
}

Result<void> link_at(int from_dir, const char* from, int to_dir, const char* to) {
  return as_void(raw(SYS_linkat, from_dir, from, to_dir, to, 0), "link", from);
}

Result<void> sync_file(int fd) {
  return as_void(raw(SYS_fsync, fd), "fsync", {});
}

Result<void> sync_filesystem(int fd) {
  return as_void(raw(SYS_syncfs, fd), "syncfs", {});
}

Result<struct stat> stat_at(int dir, const char* path, int flags) {
  struct stat st = {};
  if (::fstatat(dir, path, &st, flags) != 0) return last_error("fstatat", path);
  return st;
}

Result<struct stat> stat_fd(int fd) {
  struct stat st = {};
  if (::fstat(fd, &st) != 0) return last_error("fstat");
  return st;
}

Result<std::string> read_link_at(int dir, const char* path) {
  std::string target(256, '\0');
  while (true) {
    const ssize_t n = ::readlinkat(dir, path, target.data(), target.size());
    if (n < 0) return last_error("readlink", path);
    if (static_cast<std::size_t>(n) < target.size()) {
      target.resize(static_cast<std::size_t>(n));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

Result<std::vector<std::string>> list_xattrs(int fd) {
  std::string names(1024, '\0');
  while (true) {
    const ssize_t n = ::flistxattr(fd, names.data(), names.size());
    if (n >= 0) {
      names.resize(static_cast<std::size_t>(n));
      break;
    }
    if (errno != ERANGE || names.size() > (1U << 20U)) return last_error("flistxattr");
    names.resize(names.size() * 4);
  }
  std::vector<std::string> result;
  for (std::size_t at = 0; at < names.size();) {
    result.emplace_back(names.c_str() + at);
    at += result.back().size() + 1;
  }
  return result;
}

Result<std::string> get_xattr(int fd, const char* name) {
  std::string value(256, '\0');
  while (true) {
    const ssize_t n = ::fgetxattr(fd, name, value.data(), value.size());
    if (n >= 0) {
      value.resize(static_cast<std::size_t>(n));
      return value;
    }
    if (errno != ERANGE || value.size() > (1U << 20U)) return last_error("fgetxattr", name);
    value.resize(value.size() * 8);
  }
}

Result<void> set_xattr(int fd, const char* name, std::string_view value) {
  return as_void(::fsetxattr(fd, name, value.data(), value.size(), 0), "fsetxattr", name);
}

Result<void> write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return last_error("write");
    }
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> read_all(int fd, std::size_t limit) {
  std::string data;
  std::size_t used = 0;
  data.resize(4096);
  while (true) {
    const ssize_t n = ::read(fd, data.data() + used, data.size() - used);
    if (n < 0) {
      if (errno == EINTR) continue;
      return last_error("read");
    }
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > limit)
      return fail("file is larger than " + std::to_string(limit) + " bytes", ExitCode::kDataError);
    if (used == data.size()) data.resize(data.size() * 4);
  }
  data.resize(used);
  return data;
}

Result<std::string> read_file_at(int dir, const char* path, std::size_t limit) {
  RH_TRY(auto fd, as_fd(raw(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY), "open", path));
  auto data = read_all(fd.get(), limit);
  if (!data) return with_context(data.error(), path);
  return data;
}

Result<std::string> read_file(const char* path, std::size_t limit) {
  return read_file_at(AT_FDCWD, path, limit);
}

Result<void> write_file_at(int dir, const char* path, std::string_view data) {
  RH_TRY(auto fd, as_fd(raw(SYS_openat, dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY), "open", path));
  if (raw(SYS_write, fd.get(), data.data(), data.size()) < 0) return last_error("write", path);
  return {};
}

Result<UniqueFd> memfd(const char* name, unsigned flags) {
  return as_fd(::memfd_create(name, flags), "memfd_create", name);
}

Result<Pipe> pipe(int flags) {
  int fds[2] = {-1, -1};
  if (::pipe2(fds, flags | O_CLOEXEC) != 0) return last_error("pipe2");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<UniqueFd> clone_mount(int dir, const char* path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (*path == '\0') flags |= AT_EMPTY_PATH;
  if (recursive) flags |= AT_RECURSIVE;
  return explain_full(as_fd(raw(SYS_open_tree, dir, path, flags), "open_tree", path));
}

Result<void> attach_mount(int mount, int to) {
  return explain_full(
      as_void(raw(SYS_move_mount, mount, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
              "move_mount", {}));
}

Result<void> attach_mount(int mount, int directory, const char* name) {
  return explain_full(
      as_void(raw(SYS_move_mount, mount, "", directory, name, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", name));
}

Result<void> set_mount_attributes(int fd, std::uint64_t set, std::uint64_t clear, int userns,
                                  bool recursive) {
  struct mount_attr attributes = {};
  attributes.attr_set = set;
  // The access time settings are one field, not bits: to set one, clear the field (mount_setattr(2)).
  attributes.attr_clr = clear | ((set & MOUNT_ATTR_NOATIME) != 0 ? MOUNT_ATTR__ATIME : 0U);
  attributes.propagation = 1UL << 18U;  // MS_PRIVATE: what the host mounts later must not appear below
  if (userns >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(userns);
  }
  const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);
  return as_void(raw(SYS_mount_setattr, fd, "", flags, &attributes, sizeof attributes), "mount_setattr", {});
}

Result<UniqueFd> fs_open(const char* type) {
  return as_fd(raw(SYS_fsopen, type, FSOPEN_CLOEXEC), "fsopen", type);
}

Result<void> fs_set_string(int context, const char* key, const char* value) {
  return as_void(raw(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0), "fsconfig", key);
}

Result<void> fs_set_flag(int context, const char* key) {
  return as_void(raw(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, nullptr, 0), "fsconfig", key);
}

Result<void> fs_set_fd(int context, const char* key, int fd) {
  return as_void(raw(SYS_fsconfig, context, FSCONFIG_SET_FD, key, nullptr, fd), "fsconfig", key);
}

Result<void> fs_create(int context) {
  if (raw(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) >= 0) return {};
  const int err = errno;
  // The context keeps the kernel's own words; they beat a bare EINVAL.
  char line[256];
  const ssize_t n = ::read(context, line, sizeof line - 1);
  std::string words;
  if (n > 0) words = " (kernel: " + std::string(line, static_cast<std::size_t>(n)) + ")";
  while (!words.empty() && words.size() > 2 && words[words.size() - 2] == '\n')
    words.erase(words.size() - 2, 1);
  return fail_errno(err, "fsconfig CMD_CREATE" + words);
}

Result<UniqueFd> fs_mount(int context, unsigned attributes) {
  return as_fd(raw(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), "fsmount", {});
}

Result<void> pivot_root_here() {
  return as_void(raw(SYS_pivot_root, ".", "."), "pivot_root", {});
}

Result<void> unmount(const char* path, int flags) {
  return as_void(::umount2(path, flags), "umount2", path);
}

Result<void> make_private_recursive() {
  constexpr unsigned long kRecPrivate = 0x4000UL | 0x40000UL;  // MS_REC | MS_PRIVATE
  return as_void(::mount(nullptr, "/", nullptr, kRecPrivate, nullptr), "mount", "--make-rprivate /");
}

Result<void> unshare(int flags) {
  return as_void(::unshare(flags), "unshare", {});
}

Result<void> set_namespace(int fd, int flags) {
  return as_void(::setns(fd, flags), "setns", {});
}

Result<UniqueFd> pidfd_open(pid_t pid) {
  return as_fd(raw(SYS_pidfd_open, pid, 0), "pidfd_open", {});
}

Result<void> pidfd_signal(int pidfd, int signal) {
  return as_void(raw(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0), "pidfd_send_signal", {});
}

Result<void> set_fs_ids(uid_t uid, gid_t gid) {
  ::setfsgid(gid);
  ::setfsuid(uid);
  // An invalid id changes nothing and returns the present one.
  if (static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) != uid ||
      static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) != gid) {
    return fail("setfsuid: the kernel refused the filesystem ids");
  }
  return {};
}

Result<std::uint32_t> count_programs(int cgroup, std::uint32_t type) {
  union bpf_attr attributes = {};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.query.attach_type = type;
  if (::syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes) != 0)
    return last_error("bpf", "query");
  return attributes.query.prog_cnt;
}

}  // namespace rehearse::sys
