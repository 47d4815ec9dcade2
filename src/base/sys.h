// Thin typed wrappers of the system calls the product makes, one each: no policy, no retries but EINTR,
// errors as values that name the call. libc 2.36 has no wrapper for several of them, and its headers are
// older than the kernels.
//
// Source: the man page of the same name; kernel version in brackets where it is newer than 5.10.
#pragma once

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::sys {

// ---- open and path
// ------------------------------------------------------------------------------------------
/// openat2(2). `resolve` is RESOLVE_*; O_CLOEXEC is added.
Result<UniqueFd> open_at2(int dir, const char* path, std::uint64_t flags, std::uint64_t mode,
                          std::uint64_t resolve);
/// Opens `path` below `dir`: never leaves it, follows no symlink and no magic link.
Result<UniqueFd> open_beneath(int dir, const char* path, std::uint64_t flags, std::uint64_t mode = 0);
/// open(2) of a path the operator or the product itself named.
Result<UniqueFd> open(const char* path, int flags, mode_t mode = 0);
Result<UniqueFd> dup(int fd);
/// A copy numbered `lowest` or above.
Result<UniqueFd> dup_above(int fd, int lowest);
Result<void> mkdir_at(int dir, const char* path, mode_t mode);
Result<void> unlink_at(int dir, const char* path, int flags);
Result<void> rename_at(int from_dir, const char* from, int to_dir, const char* to);
/// renameat2(2). `flags` is RENAME_EXCHANGE or RENAME_NOREPLACE.
Result<void> rename_at2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags);
/// linkat(2) without following `from`.
Result<void> link_at(int from_dir, const char* from, int to_dir, const char* to);
/// fsync(2), and syncfs(2) of the filesystem that `fd` lies on (neither takes an O_PATH descriptor).
Result<void> sync_file(int fd);
Result<void> sync_filesystem(int fd);
Result<struct stat> stat_at(int dir, const char* path, int flags);
Result<struct stat> stat_fd(int fd);
/// Target of a symlink; `path` may be "" with an O_PATH descriptor of the link itself.
Result<std::string> read_link_at(int dir, const char* path);
/// Names of all extended attributes (l-variants through /proc/self/fd are not needed: fds only).
Result<std::vector<std::string>> list_xattrs(int fd);
Result<std::string> get_xattr(int fd, const char* name);
Result<void> set_xattr(int fd, const char* name, std::string_view value);

// ---- whole-buffer I/O
// -----------------------------------------------------------------------------------------
Result<void> write_all(int fd, std::string_view data);
/// Reads to end of file, failing with kDataError above `limit` bytes.
Result<std::string> read_all(int fd, std::size_t limit = 64U << 20U);
Result<std::string> read_file_at(int dir, const char* path, std::size_t limit = 64U << 20U);
Result<std::string> read_file(const char* path, std::size_t limit = 64U << 20U);
/// One write(2) to an existing file, as cgroup and proc files want it.
Result<void> write_file_at(int dir, const char* path, std::string_view data);
Result<UniqueFd> memfd(const char* name, unsigned flags);
struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
Result<Pipe> pipe(int flags);

// ---- mounts
// -----------------------------------------------------------------------------------------------------
/// open_tree(2) with OPEN_TREE_CLONE: a detached, non-recursive copy of the mount at `path`.
Result<UniqueFd> clone_mount(int dir, const char* path, bool recursive = false);
/// move_mount(2) of a detached mount onto the object `to` refers to.
Result<void> attach_mount(int mount, int to);
/// On entry `name` of `directory`, which nobody else can change: a call that opens less.
Result<void> attach_mount(int mount, int directory, const char* name);
/// mount_setattr(2) on the mount `fd` refers to. `userns` >= 0 adds MOUNT_ATTR_IDMAP.
Result<void> set_mount_attributes(int fd, std::uint64_t set, std::uint64_t clear, int userns = -1,
                                  bool recursive = false);
Result<UniqueFd> fs_open(const char* type);
Result<void> fs_set_string(int context, const char* key, const char* value);
Result<void> fs_set_flag(int context, const char* key);
/// FSCONFIG_SET_FD [6.13 for overlayfs layers].
Result<void> fs_set_fd(int context, const char* key, int fd);
Result<void> fs_create(int context);
Result<UniqueFd> fs_mount(int context, unsigned attributes);
Result<void> pivot_root_here();
Result<void> unmount(const char* path, int flags);
Result<void> make_private_recursive();

// ---- control groups
// ---------------------------------------------------------------------------------------------
/// bpf(2) BPF_PROG_QUERY: how many programs are attached to the cgroup2 directory `cgroup` itself by that
/// BPF_CGROUP_* type.
Result<std::uint32_t> count_programs(int cgroup, std::uint32_t type);

// ---- namespaces, processes
// --------------------------------------------------------------------------------------
Result<void> unshare(int flags);
Result<void> set_namespace(int fd, int flags);
Result<UniqueFd> pidfd_open(pid_t pid);
Result<void> pidfd_signal(int pidfd, int signal);
/// Sets the filesystem uid and gid of this thread; verified, since setfsuid(2) reports nothing.
Result<void> set_fs_ids(uid_t uid, gid_t gid);

/// "/proc/self/fd/N", for the calls that only take a path.
std::string fd_path(int fd);

/// The error of the last call that set errno: "CALL THING: strerror".
tl::unexpected<Error> last_error(std::string_view call, std::string_view thing = {});

}  // namespace rehearse::sys
