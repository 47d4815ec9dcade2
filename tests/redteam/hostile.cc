// One hostile program for the cases of sections A, B, D and E: `hostile CASE` tries something that must not
// work inside a rehearsal. Exit status: 0 contained, 1 it got through, 77 cannot be tried here. The outcome
// is printed.

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

namespace {

/// Prints what happened; contained if the call failed with one of `wanted` (0 ends the list).
int refused(const char* what, long result, int a, int b = 0, int c = 0) {
  const int error = result < 0 ? errno : 0;
  printf("%s: %s\n", what, result < 0 ? strerrorname_np(error) : "SUCCEEDED");
  return result < 0 && (error == a || (b != 0 && error == b) || (c != 0 && error == c)) ? 0 : 1;
}

int opens_for_writing(const char* path, int a, int b = 0, int c = 0) {
  const int fd = open(path, O_RDWR | O_NONBLOCK);
  const int fd2 = fd < 0 ? open(path, O_WRONLY | O_NONBLOCK) : fd;
  return refused(path, fd2, a, b, c);
}

int case_1() {  // host-wide sysctls, also after a fresh procfs
  int bad = 0;
  for (const char* path : {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
                           "/proc/sys/vm/swappiness", "/proc/sysrq-trigger", "/proc/sys/fs/file-max"}) {
    if (access(path, F_OK) == 0) bad |= opens_for_writing(path, EACCES, EROFS);
  }
  umount2("/proc/sys", MNT_DETACH);
  mkdir("/tmp/p", 0700);
  if (mount("proc", "/tmp/p", "proc", 0, nullptr) == 0)
    bad |= opens_for_writing("/tmp/p/sys/kernel/core_pattern", EACCES, EROFS);
  mount("/proc", "/proc", nullptr, MS_REMOUNT | MS_BIND, nullptr);
  return bad | opens_for_writing("/proc/sys/kernel/core_pattern", EACCES, EROFS);
}

int case_2() {  // devices
  int bad = 0;
  for (const char* path :
       {"/dev/vda", "/dev/sda", "/dev/loop7", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/loop-control"}) {
    bad |= opens_for_writing(path, ENOENT);
  }
  return bad;
}

int case_3() {  // a host-wide sysctl by ways that hide its name
  int bad = 0;
  const auto tries = [&bad](const char* way, int at, const char* path) {
    bad |= refused(way, openat(at, path, O_WRONLY), EACCES, EROFS);
  };
  const int directory = open("/proc/sys/vm", O_RDONLY | O_DIRECTORY);
  const int other = dup2(directory, 77);
  tries("below a descriptor", other, "swappiness");
  struct open_how how = {};
  how.flags = O_WRONLY;
  bad |= refused("openat2", syscall(SYS_openat2, other, "../vm/./overcommit_memory", &how, sizeof how),
                 EACCES, EROFS);
  tries("below /proc/self/fd", AT_FDCWD, "/proc/self/fd/77/dirty_ratio");
  if (fchdir(directory) != 0) return 1;
  tries("in the working directory", AT_FDCWD, "panic_on_oom");
  tries("below /proc/self/cwd", AT_FDCWD, "/proc/self/cwd/laptop_mode");
  mkdir("/tmp/k", 0700);
  if (mount("/proc/sys/vm", "/tmp/k", nullptr, MS_BIND, nullptr) == 0)
    tries("through a bind mount", AT_FDCWD, "/tmp/k/page-cluster");
  if (symlink("/proc/sys/vm/drop_caches", "/tmp/link") == 0) tries("through a link", AT_FDCWD, "/tmp/link");
  if (chdir("/") == 0 && chroot("/proc/sys") == 0) tries("in a new root", AT_FDCWD, "/vm/stat_interval");
  return bad;
}

int case_5() {  // namespaces of others
  int bad = 0;
  const int init = open("/proc/1/ns/mnt", O_RDONLY);
  bad |= refused("open /proc/1/ns/mnt", init, EACCES, EPERM);
  const int own = open("/proc/self/ns/mnt", O_RDONLY);
  bad |= refused("setns own", syscall(SYS_setns, own, 0), EPERM);
  for (int fd = 3; fd < 256; ++fd) {
    if (fd != own && fcntl(fd, F_GETFD) >= 0) {
      printf("descriptor %d is open\n", fd);
      bad = 1;
    }
  }
  return bad;
}

int case_6() {  // nested user namespaces
  int bad = refused("unshare NEWUSER", unshare(CLONE_NEWUSER), EPERM);
  const long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  bad |= refused("clone NEWUSER", child, EPERM);
  return bad | refused("clone3", syscall(435, nullptr, 0), ENOSYS);
}

int case_7() {  // device nodes and forged whiteouts
  int bad = refused("mknod block", mknod("/tmp/b", S_IFBLK | 0600, makedev(254, 0)), EPERM);
  bad |= refused("mknod char", mknod("/tmp/c", S_IFCHR | 0600, makedev(1, 1)), EPERM);
  bad |= refused("mknod whiteout", mknod("/tmp/w", S_IFCHR, 0), EPERM);
  return bad | refused("trusted.overlay xattr",
                       syscall(SYS_setxattr, "/tmp", "trusted.overlay.opaque", "y", 1, 0), EPERM, EOPNOTSUPP);
}

int case_8() {  // handles
  char buffer[256] = {};
  auto* handle = reinterpret_cast<struct file_handle*>(buffer);
  handle->handle_bytes = 128;
  int id = 0;
  name_to_handle_at(AT_FDCWD, "/etc/passwd", handle, &id, 0);
  return refused("open_by_handle_at", open_by_handle_at(AT_FDCWD, handle, O_RDONLY), EPERM);
}

int case_9() {  // kernel programmability
  union bpf_attr map = {};
  map.map_type = 1;
  map.key_size = map.value_size = 4;
  map.max_entries = 1;
  int bad = refused("bpf MAP_CREATE", syscall(SYS_bpf, 0, &map, sizeof map), EPERM);
  struct perf_event_attr event = {};
  event.size = sizeof event;
  bad |= refused("perf_event_open", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0), EPERM);
  bad |= refused("userfaultfd", syscall(SYS_userfaultfd, 0), EPERM);
  return bad | refused("fanotify_init", syscall(SYS_fanotify_init, 0, 0), EPERM);
}

int case_10() {  // control of the host
  int bad = 0;
  bad |= refused("init_module", syscall(SYS_init_module, "", 0, ""), EPERM);
  bad |= refused("finit_module", syscall(SYS_finit_module, 0, "", 0), EPERM);
  bad |= refused("delete_module", syscall(SYS_delete_module, "x", 0), EPERM);
  bad |= refused("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0), EPERM);
  bad |= refused("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, "", 0), EPERM);
  bad |= refused("swapon", syscall(SYS_swapon, "/dev/null", 0), EPERM);
  bad |= refused("swapoff", syscall(SYS_swapoff, "/dev/null"), EPERM);
  bad |= refused("acct", syscall(SYS_acct, "/tmp/acct"), EPERM);
  bad |= refused("quotactl", syscall(SYS_quotactl, 0, "/", 0, 0), EPERM);
  bad |= refused("syslog", syscall(SYS_syslog, 3, nullptr, 0), EPERM);
  bad |= refused("iopl", syscall(SYS_iopl, 3), EPERM);
  bad |= refused("ioperm", syscall(SYS_ioperm, 0, 1, 1), EPERM);
  bad |= refused("settimeofday", syscall(SYS_settimeofday, nullptr, nullptr), EPERM);
  struct timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  bad |= refused("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &now), EPERM);
  bad |= refused("adjtimex", syscall(SYS_adjtimex, nullptr), EPERM);
  bad |= refused("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, nullptr), EPERM);
  return bad;
}

int case_11() {  // keyrings
  int bad = refused("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3), EPERM);
  bad |= refused("keyctl read session", syscall(SYS_keyctl, 0, -3, 0), EPERM);
  return bad | refused("request_key", syscall(SYS_request_key, "user", "x", nullptr, -3), EPERM);
}

int case_13() {  // other call conventions
  const pid_t child = fork();
  if (child == 0) {
    long result = 0;
    asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    _exit(result > 0 ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("int 0x80: %s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "returned");
  const bool legacy = WIFSIGNALED(status) || WEXITSTATUS(status) == 0;
  const pid_t x32 = fork();
  if (x32 == 0) _exit(syscall(0x40000000 | SYS_getppid) < 0 && errno == ENOSYS ? 0 : 1);
  waitpid(x32, &status, 0);
  printf("x32: %s\n", WIFSIGNALED(status)        ? strsignal(WTERMSIG(status))
                      : WEXITSTATUS(status) == 0 ? "ENOSYS"
                                                 : "SUCCEEDED");
  return legacy && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0) ? 0 : 1;
}

int case_15() {  // terminals
  char c = 'i';
  int line = 2;
  int bad = refused("TIOCSTI", ioctl(0, TIOCSTI, &c), EPERM);
  bad |= refused("TIOCLINUX", ioctl(0, TIOCLINUX, &c), EPERM);
  bad |= refused("TIOCSETD", ioctl(0, TIOCSETD, &line), EPERM);
  return bad | refused("open /dev/tty", open("/dev/tty", O_RDWR), ENXIO, ENOENT);
}

int case_16() {  // legacy memory layouts
  int bad = refused("personality", personality(ADDR_NO_RANDOMIZE), EPERM);
  return bad | refused("modify_ldt", syscall(SYS_modify_ldt, 0, nullptr, 0), EPERM, ENOSYS);
}

int case_17() {  // module loading through sockets
  int bad = 0;
  for (const int family : {30, 38, 40, 44, 21, 29, 31}) {
    char name[32];
    snprintf(name, sizeof name, "socket family %d", family);
    bad |= refused(name, socket(family, SOCK_DGRAM, 0), EAFNOSUPPORT);
  }
  bad |= refused("NETLINK_SOCK_DIAG", socket(AF_NETLINK, SOCK_RAW, 4), EPROTONOSUPPORT);
  return bad | refused("mount weirdfs", mount("x", "/mnt", "weirdfs", 0, nullptr), ENODEV, EPERM);
}

int case_21() {  // kernel filesystems
  int bad = 0;
  for (const char* type :
       {"debugfs", "tracefs", "bpf", "securityfs", "configfs", "efivarfs", "devtmpfs", "sysfs", "pstore"}) {
    errno = 0;
    const int result = mount("x", "/mnt", type, 0, nullptr);
    bad |= refused(type, result, EPERM, ENODEV, errno == EOPNOTSUPP ? EOPNOTSUPP : EBUSY);
  }
  for (const char* path : {"/sys/kernel/debug/sched", "/sys/kernel/tracing/trace", "/sys/fs/bpf/rehearse",
                           "/sys/firmware/efi/efivars/x"}) {
    bad |= refused(path, access(path, F_OK), ENOENT);
  }
  return bad | refused("write to /sys", open("/sys/kernel/uevent_seqnum", O_WRONLY), EROFS, EACCES, ENOENT);
}

int case_23() {  // locked mounts: rehearse's state stays covered
  const char* state = getenv("STATE");
  if (state == nullptr) return 77;
  int bad = refused("umount state", umount2(state, MNT_DETACH), EINVAL, EPERM);
  bad |= refused("remount state rw", mount(nullptr, state, nullptr, MS_REMOUNT | MS_BIND, nullptr), EPERM);
  bad |= refused("write below state", open((const char*)state, O_TMPFILE | O_RDWR, 0600), EROFS, EOPNOTSUPP,
                 EISDIR);
  mkdir("/tmp/bound", 0700);
  mount("/", "/tmp/bound", nullptr, MS_BIND, nullptr);
  char path[4096];
  snprintf(path, sizeof path, "/tmp/bound%s/runs", state);
  return bad | refused("state through a bind of /", open(path, O_RDONLY), ENOENT, EACCES, EINVAL);
}

int case_28() {  // inode flags and filesystem ioctls on files of the host
  const int fd = open("/etc/passwd", O_RDONLY);
  int flags = FS_IMMUTABLE_FL;
  int bad = refused("FS_IOC_SETFLAGS", ioctl(fd, FS_IOC_SETFLAGS, &flags), EPERM, ENOTTY);
  bad |= refused("FIFREEZE", ioctl(fd, FIFREEZE, 0), EPERM, ENOTTY, EOPNOTSUPP);
  struct fstrim_range range = {0, ~0ULL, 0};
  return bad | refused("FITRIM", ioctl(fd, FITRIM, &range), EPERM, ENOTTY, EOPNOTSUPP);
}

int case_54() {  // signals to everybody, and to init
  kill(-1, SIGKILL);
  kill(1, SIGKILL);
  if (const char* outside = getenv("OUTSIDE")) refused("signal outside", kill(atoi(outside), SIGKILL), ESRCH);
  int bad = refused("ptrace init", ptrace(PTRACE_SEIZE, 1, 0, 0), EPERM);
  char byte = 0;
  struct iovec local = {&byte, 1};
  struct iovec remote = {reinterpret_cast<void*>(0x400000), 1};
  bad |= refused("read init's memory", process_vm_readv(1, &local, 1, &remote, 1, 0), EPERM);
  return bad | refused("open /proc/1/mem", open("/proc/1/mem", O_RDWR), EACCES, EPERM);
}

int case_60() {  // core dump programs stay off
  struct rlimit limit = {0, 0};
  setrlimit(RLIMIT_CORE, &limit);
  getrlimit(RLIMIT_CORE, &limit);
  printf("core limit %lu\n", static_cast<unsigned long>(limit.rlim_cur));
  return limit.rlim_cur == 1 ? 0 : 1;
}

int case_19() {  // a process may loosen what ties it to its parent; its life hangs on the cgroup
  prctl(PR_SET_PDEATHSIG, 0);
  prctl(PR_SET_DUMPABLE, 1);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  return refused("PR_SET_MM", prctl(PR_SET_MM, PR_SET_MM_START_CODE, 0x1000, 0, 0), EPERM, EINVAL);
}

int case_22() {  // mounts the root layer does not cover take writes into a layer of their own, or none
  int bad = 0;
  for (const char* directory : {"/dev/shm", "/run", "/tmp", "/boot", "/home", "/var/tmp"}) {
    char path[256];
    snprintf(path, sizeof path, "%s/rehearse-hostile-22", directory);
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    printf("write %s: %s\n", path, fd >= 0 ? "inside" : strerrorname_np(errno));
    if (fd >= 0) close(fd);  // the host is looked at by the test
  }
  return bad;
}

int case_29() {  // locks of the host's files are its own
  const char* path = getenv("LOCK");
  if (path == nullptr) return 77;
  const int fd = open(path, O_RDWR);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  printf("lock inside: %s\n", fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 ? "taken" : "not taken");
  sleep(1);
  return fd >= 0 ? 0 : 1;
}

int case_31() {  // more space than there is; very many, very deep, very long
  int bad = 0;
  const int fd = open("/var/tmp/rehearse-hostile-31", O_CREAT | O_WRONLY, 0600);
  bad |= refused("fallocate 1 PiB", fallocate(fd, 0, 0, 1L << 50), ENOSPC, EFBIG, EDQUOT);
  if (chdir("/var/tmp") != 0) return 1;
  char name[256];
  memset(name, 'n', 255);
  name[255] = 0;
  for (int depth = 0; depth < 300; ++depth) {
    if (mkdir(name, 0700) != 0 || chdir(name) != 0) return 1;
  }
  for (int i = 0; i < 5000; ++i) {
    char empty[32];
    snprintf(empty, sizeof empty, "e%d", i);
    const int file = open(empty, O_CREAT | O_WRONLY, 0600);
    if (file < 0) return 1;
    close(file);
  }
  return bad;
}

int case_47() {  // System V ipc and message queues of the host
  int bad = 0;
  for (int id = 0; id < 64; ++id) {
    if (shmat(id, nullptr, SHM_RDONLY) != reinterpret_cast<void*>(-1)) {
      printf("shared memory %d attached\n", id);
      bad = 1;
    }
  }
  return bad;
}

int case_52() {  // binfmt_misc: at most the user namespace's own
  mkdir("/tmp/binfmt", 0700);
  if (mount("b", "/tmp/binfmt", "binfmt_misc", 0, nullptr) != 0)
    return refused("mount binfmt_misc", -1, EPERM, ENODEV);
  const int fd = open("/tmp/binfmt/register", O_WRONLY);
  const char rule[] = ":rehearse-hostile:M::HOSTILE::/bin/true:";
  printf("register: %s\n", write(fd, rule, sizeof rule - 1) > 0 ? "inside" : strerrorname_np(errno));
  return 0;  // the host is looked at by the test
}

int case_53() {  // bombs: descriptors, threads, zombies
  int opened = 0;
  while (open("/dev/null", O_RDONLY) >= 0) ++opened;
  printf("%d descriptors\n", opened);
  for (int fd = 3; fd < 4000; ++fd) close(fd);
  int forked = 0;
  for (; forked < 100000; ++forked) {
    const pid_t child = fork();
    if (child == 0) _exit(0);  // never waited for
    if (child < 0) break;
  }
  printf("%d zombies: %s\n", forked, strerrorname_np(errno));
  return forked < 100000 ? 0 : 1;
}

int case_63() {  // stop yourself, orphan yourself, and hide in a sub-reaper
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int i = 0; i < 3; ++i) {
    if (fork() == 0) {
      setsid();
      if (fork() == 0) {
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        if (i == 0) raise(SIGSTOP);
        for (;;) pause();
      }
      _exit(0);
    }
  }
  return 0;
}

int case_49() {  // io_uring
  int bad = 0;
  for (const int number : {425, 426, 427})
    bad |= refused("io_uring", syscall(number, 1, nullptr, 0, 0, 0, 0), ENOSYS);
  for (const int number : {428, 429, 430, 431, 432, 433, 442})
    bad |= refused("new mount API", syscall(number, 0, 0, 0, 0, 0), ENOSYS);
  return bad;
}

/// A filter that answers call `number` with `action`, and lets all others pass.
long filter_call(unsigned number, unsigned action, unsigned flags) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {4, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

/// Asks for the parent's id under a tracer that makes another call of it.
int smuggled(unsigned number, int a, int b = 0) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    if (filter_call(SYS_getppid, SECCOMP_RET_TRACE, 0) != 0) _exit(2);
    _exit(refused("smuggled call", syscall(SYS_getppid, "/tmp/smuggled", 0700, 0), a, b));
  }
  int status = 0;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
  ptrace(PTRACE_CONT, child, 0, 0);
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
      ptrace(PTRACE_POKEUSER, child, offsetof(struct user_regs_struct, orig_rax), static_cast<long>(number));
    ptrace(PTRACE_CONT, child, 0, 0);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int case_61() {  // filters of the action's own, against what is recorded
  int bad = refused("listener", filter_call(SYS_getppid, SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER),
                    EBUSY);
  const pid_t child = fork();
  if (child == 0) {
    if (filter_call(SYS_rmdir, SECCOMP_RET_ERRNO | EDOM, 0) != 0) _exit(1);
    char path[] =
        "/etc/hidden";  // on the stack: of a page that was never touched only the address is recorded
    _exit(refused("hidden by an error", syscall(SYS_rmdir, path), EDOM));
  }
  int status = 0;
  waitpid(child, &status, 0);
  bad |= WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  // The outer filter sees what the tracer made of it.
  bad |= smuggled(SYS_init_module, EPERM);
  printf("smuggled mkdir: %s\n", smuggled(SYS_mkdir, 0) == 1 ? "done inside" : "refused");
  return bad;
}

int case_69() {  // looks whether this is a sandbox
  for (const char* path :
       {"/proc/self/uid_map", "/proc/self/gid_map", "/.dockerenv", "/run/systemd/container"})
    printf("%s: %s\n", path, open(path, O_RDONLY) < 0 ? strerrorname_np(errno) : "read");
  char link[64];
  printf("network namespace: %s\n",
         readlink("/proc/self/ns/net", link, sizeof link) > 0 ? "read" : "not read");
  return 0;  // the report tells
}

struct Case {
  int number;
  int (*run)();
};
constexpr Case kCases[] = {{1, case_1},   {2, case_2},   {3, case_3},   {5, case_5},   {6, case_6},
                           {7, case_7},   {8, case_8},   {9, case_9},   {10, case_10}, {11, case_11},
                           {13, case_13}, {15, case_15}, {16, case_16}, {17, case_17}, {19, case_19},
                           {21, case_21}, {22, case_22}, {23, case_23}, {28, case_28}, {29, case_29},
                           {31, case_31}, {47, case_47}, {49, case_49}, {52, case_52}, {53, case_53},
                           {54, case_54}, {60, case_60}, {61, case_61}, {63, case_63}, {69, case_69}};

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc < 2) {
    for (const Case& known : kCases) printf("%d\n", known.number);
    return 0;
  }
  for (const Case& known : kCases) {
    if (known.number == atoi(argv[1])) return known.run();
  }
  return 77;
}
