// The decoder against strace itself: a child makes calls under `strace -o`, formats the same calls from the
// numbers and results it has, and both must write the same lines.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <type_traits>
#include <vector>

#include "syscalls/call.h"
#include "syscalls/structs.h"

using namespace rehearse::syscalls;

namespace {

constexpr const char* kOwnLines = "REHEARSE_TEST_OWN_LINES";
constexpr int kMarker = -77777;  // close() of it stands before and after the calls to be compared

struct Probe {
  std::uint32_t nr = 0;
  std::array<std::uint64_t, kMaxArguments> args = {};
  std::int64_t result = 0;
  std::array<std::array<char, 128>, kMaxArguments> before = {};  ///< of what is filled in
};

// No allocation between the calls: it could show up in the trace.
std::array<Probe, 600> probes;
std::size_t probe_count = 0;

template <class T>
std::uint64_t word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<std::uint64_t>(value);
  } else {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  }
}

constexpr std::uint64_t kFirstPage = 4096;

/// How much a recorder reads.
std::size_t captured_bytes(const Capture& capture, const Probe& one) {
  std::uint64_t wanted = capture.most;
  switch (capture.length) {
    case Capture::Length::kFixed:
      break;
    case Capture::Length::kNext:
      wanted = static_cast<std::uint32_t>(one.args[capture.arg + 1U]) * std::uint64_t{capture.unit};
      break;
    case Capture::Length::kBefore:
      wanted = static_cast<std::uint32_t>(one.args[capture.arg - 1U]) * std::uint64_t{capture.unit};
      break;
    case Capture::Length::kFirst:
      wanted = static_cast<std::uint32_t>(one.args[0]) * std::uint64_t{capture.unit};
      break;
    case Capture::Length::kNested:
      wanted = 16;
      break;
    case Capture::Length::kResult:
      wanted = static_cast<std::uint64_t>(one.result) * capture.unit;
      break;
    case Capture::Length::kPointer:
      wanted = *reinterpret_cast<const std::uint32_t*>(one.args[capture.arg + 1U]);
      break;
  }
  return std::min<std::uint64_t>(wanted, capture.most);
}

template <class... Args>
void probe(std::uint32_t nr, Args... args) {
  Probe& one = probes.at(probe_count++);
  one.nr = nr;
  std::array<std::uint64_t, kMaxArguments> words = {word(args)...};
  one.args = words;
  const Syscall* info = find_syscall(nr);
  for (std::uint8_t i = 0; i < kMaxArguments; ++i) {
    const auto capture = info == nullptr ? std::nullopt : capture_of(info->args[i], i);
    if (capture && capture->both && words[i] >= kFirstPage)
      std::memcpy(one.before[i].data(), reinterpret_cast<const void*>(words[i]),
                  captured_bytes(*capture, one));
  }
  const long result =
      ::syscall(static_cast<long>(nr), words[0], words[1], words[2], words[3], words[4], words[5]);
  one.result = result == -1 ? -errno : result;
}

const char* const kNull = nullptr;

/// Nothing can be made below /proc, whoever asks: a test must not change its host.
void paths() {
  probe(Nr::open, "/x\tq\n\001\0012\xff\"\\\033", 0x40000002);
  probe(Nr::open, kNull, 0101, 0177600);
  probe(Nr::open, 1, 3);
  probe(Nr::openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  probe(Nr::openat, (0xaaL << 32) | 0xffffff9cL, "/proc/none", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0640);
  probe(Nr::openat, 99, "relative", 020200002, 0600);
  static const std::uint64_t reads[] = {O_RDONLY | O_CLOEXEC, 0, 0};
  static const std::uint64_t creates[] = {O_WRONLY | O_CREAT, 0640, 0x1d};
  probe(Nr::openat2, AT_FDCWD, "/proc/none", reads, sizeof reads);
  probe(Nr::openat2, 99, "relative", creates, sizeof creates);
  probe(Nr::openat, 99, "relative", O_SYNC | O_DSYNC | O_PATH);
  probe(Nr::mkdir, "/proc/none/x", 0);
  probe(Nr::mkdir, "/proc/none/x", 07);
  probe(Nr::mknod, "/proc/none/x", 020666, 0x103);
  probe(Nr::mknod, "/proc/none/x", 0666, 0);
  probe(Nr::mknodat, AT_FDCWD, "/proc/none/x", 060644, 0x801);
  probe(Nr::mknodat, AT_FDCWD, "/proc/none/x", 010600, 0);
  probe(Nr::access, "/proc/none", 15);
  probe(Nr::access, "/proc/none", 0);
  probe(Nr::faccessat, 5, "/proc/none", 7);
  probe(Nr::faccessat2, AT_FDCWD, "/proc/none", 4, 0x200);
  probe(Nr::chmod, "/proc/none", 04755);
  probe(Nr::newfstatat, AT_FDCWD, "/proc/none/y", 0, 0x100);
  probe(Nr::rmdir, "/proc/none");
  probe(Nr::unlinkat, AT_FDCWD, "/proc/none", 0x200);
  probe(Nr::renameat2, AT_FDCWD, "/proc/none", AT_FDCWD, "b", 3);
  probe(Nr::symlinkat, "target", AT_FDCWD, "/proc/none/x");
  probe(Nr::linkat, AT_FDCWD, "/proc/none", 5, "b", 0x400);
  probe(Nr::statx, AT_FDCWD, "/proc/none", 0x900, 0x7ff, 0);
  probe(Nr::statx, AT_FDCWD, "/proc/none", 0x4000, 0x1801, 0);
  probe(Nr::chown, "/proc/none", -1, 5);
  probe(Nr::chroot, "/proc/none");
  probe(Nr::truncate, "/proc/none", 3L);
  probe(Nr::utimensat, AT_FDCWD, "/proc/none", 0, 0x100);
  probe(Nr::getxattr, "/proc/none", "user.x", 0, 0);
  probe(Nr::removexattr, "/proc/none", "user.x");
  probe(Nr::name_to_handle_at, AT_FDCWD, "/proc/none", 0, 0, 0x1000);
  probe(Nr::inotify_add_watch, 99, "/x", 0x103);
  probe(Nr::execve, "/proc/none", 0, 0);
  probe(Nr::execveat, AT_FDCWD, "/proc/none", 0, 0, 0x1000);
  probe(Nr::mount, "a", "/proc/none", "tmpfs", 0x400003, 0);
  probe(Nr::mount, kNull, "/proc/none", kNull, 0x4000, kNull);
  probe(Nr::umount2, "/proc/none", 3);
  probe(Nr::pivot_root, "/proc/none", "/proc/none/y");
  probe(Nr::swapoff, "/proc/none");
  probe(Nr::open_tree, AT_FDCWD, "/proc/none", 02000001);
  probe(Nr::move_mount, AT_FDCWD, "/proc/none", AT_FDCWD, "b", 4);
  probe(Nr::fspick, AT_FDCWD, "/proc/none", 1);
  probe(Nr::fsopen, "ext5", 1);
  probe(Nr::quotactl, 0x80000700, "/proc/none", 0, 0);
}

void descriptors() {
  probe(Nr::fcntl, 0, F_GETFL);
  probe(Nr::fcntl, 0, F_GETFD);
  probe(Nr::fcntl, 0, F_SETFD, 0);
  probe(Nr::fcntl, 99, F_SETFL, 04000);
  probe(Nr::fcntl, 99, F_DUPFD_CLOEXEC, 10);
  probe(Nr::fcntl, 99, F_SETLK, 0);
  probe(Nr::fcntl, 99, F_ADD_SEALS, 0x1f);
  probe(Nr::fcntl, 99, 77, 0x1234);
  probe(Nr::lseek, 77, -5L, 1);
  probe(Nr::lseek, 77, 5L, 9);
  probe(Nr::ioctl, 99, 0x5401, 0);
  probe(Nr::ioctl, 99, 0x5413, 0);
  probe(Nr::ioctl, 99, 0x89ab1234, 1);
  probe(Nr::ioctl, 99, 0x1260, 0);
  probe(Nr::ioctl, 99, 0x40086602, 0);
  probe(Nr::dup, 99);
  probe(Nr::dup3, 97, 98, 02000000);
  probe(Nr::pipe2, 0, 02004000);
  probe(Nr::eventfd2, 5, 02004001);
  probe(Nr::epoll_create1, 02000000);
  probe(Nr::epoll_create1, 7);
  probe(Nr::epoll_ctl, 99, 1, 98, 0);
  probe(Nr::epoll_ctl, 99, 9, 98, 0);
  probe(Nr::epoll_wait, 99, 0, 1, -1);
  probe(Nr::timerfd_create, 1, 02004000);
  probe(Nr::inotify_init1, 02004000);
  probe(Nr::signalfd4, 99, 0, 8, 02004000);
  probe(Nr::memfd_create, "mem", 3);
  probe(Nr::flock, 99, 6);
  probe(Nr::fallocate, 99, 3, 0L, 5L);
  probe(Nr::fadvise64, 99, 0, 5, 4);
  probe(Nr::sync_file_range, 99, 0, 5, 7);
  probe(Nr::splice, 99, 0, 98, 0, 5, 3);
  probe(Nr::tee, 99, 98, 5, 3);
  probe(Nr::preadv2, 99, 0, 0, 5, 0, 8);
  probe(Nr::pread64, 99, 0, 5, 7);
  probe(Nr::sendfile, 99, 98, 0, 5);
  probe(Nr::copy_file_range, 99, 0, 98, 0, 5, 0);
  probe(Nr::close_range, 90, 95, 4);
  probe(Nr::getdents64, 99, 0, 0);
  probe(Nr::fanotify_mark, 99, 1, 0x28, AT_FDCWD, "x");
  probe(Nr::open_by_handle_at, 99, 0, 2);
  probe(Nr::userfaultfd, 7);
  probe(Nr::poll, 0, 0, 0);
}

void sockets() {
  struct sockaddr_in four = {};
  four.sin_family = AF_INET;
  four.sin_port = htons(80);
  four.sin_addr.s_addr = htonl(0x7f000001);
  struct sockaddr_in6 six = {};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(53);
  six.sin6_addr.s6_addr[15] = 1;
  struct sockaddr_un local = {AF_UNIX, "/run/x\ny"};
  struct sockaddr_un abstract = {AF_UNIX, {0, 'a', 'b'}};
  static struct sockaddr_in static_four = four;
  static struct sockaddr_in6 static_six = six;
  static struct sockaddr_un static_local = local;
  static struct sockaddr_un static_abstract = abstract;
  static const std::uint32_t netlink[] = {AF_NETLINK, 0, 5};
  probe(Nr::connect, 99, &static_four, 16);
  probe(Nr::connect, 99, &static_six, 28);
  probe(Nr::bind, 99, &static_local, 110);
  probe(Nr::bind, 99, &static_abstract, 5);
  probe(Nr::bind, 99, netlink, 12);
  probe(Nr::connect, 99, 0, 0);
  probe(Nr::sendto, 99, "abc", 3, 0x4040, &static_four, 16);
  probe(Nr::accept4, 99, 0, 0, 02004000);
  probe(Nr::recvfrom, 99, 0, 3, 2, 0, 0);
  probe(Nr::socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  probe(Nr::socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 6);
  probe(Nr::socket, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 17);
  probe(Nr::socket, AF_NETLINK, SOCK_RAW, 0);
  probe(Nr::socket, AF_PACKET, SOCK_RAW, 0x300);
  probe(Nr::socket, 99, 77, 5);
  probe(Nr::socketpair, AF_UNIX, SOCK_STREAM, 0, 0);
  probe(Nr::setsockopt, 99, 1, 2, 0, 0);
  probe(Nr::setsockopt, 99, 6, 1, 0, 0);
  probe(Nr::setsockopt, 99, 41, 26, 0, 0);
  probe(Nr::getsockopt, 99, 0, 10, 0, 0);
  probe(Nr::shutdown, 99, 2);
  probe(Nr::listen, 99, 5);
}

void memory() {
  probe(Nr::mmap, 0, 4096, 3, 0x22, -1, 0);
  probe(Nr::mmap, 0, 4096, 0, 0x21, -1, 0x3000);
  probe(Nr::mmap, 0, 0, 5, 0x812, 99, 0);
  probe(Nr::mprotect, 0, 0, 0xff);
  probe(Nr::madvise, 0, 0, 4);
  probe(Nr::madvise, 0, 0, 400);
  probe(Nr::munmap, 1, 5);
  probe(Nr::mremap, 1, 4096, 8192, 3, 0);
  probe(Nr::mremap, 1, 4096, 8192, 1);
  probe(Nr::msync, 0, 0, 4);
  probe(Nr::mlock2, 0, 1, 1);
  probe(Nr::mbind, 0, 0, 1, 0, 0, 2);
  probe(Nr::pkey_mprotect, 0, 0, 1, 1);
  probe(Nr::shmget, 0x1234567, 5, 0);
  probe(Nr::shmget, 0, 0, 01600);
  probe(Nr::shmat, 99999, 0, 010000);
  probe(Nr::shmctl, 99999, 0, 0);
  probe(Nr::semget, 0x1234567, 1, 0600);
  probe(Nr::semctl, 99999, 0, 12, 0);
  probe(Nr::msgget, 0x1234567, 0);
  probe(Nr::msgctl, 99999, 0, 0);
}

void processes() {
  probe(Nr::kill, 0, 0);
  probe(Nr::kill, 99999999, 9);
  probe(Nr::kill, 99999999, 34);
  probe(Nr::kill, 99999999, 64);
  probe(Nr::kill, 99999999, 99);
  probe(Nr::tgkill, 99999999, 99999999, 15);
  probe(Nr::rt_sigaction, 9, 0, 0, 8);
  probe(Nr::rt_sigprocmask, 0, 0, 0, 8);
  probe(Nr::prctl, 38, 0, 0, 0, 0);
  probe(Nr::prctl, 39, 0, 0, 0, 0);
  probe(Nr::prctl, 3);
  probe(Nr::prctl, 4, 1);
  probe(Nr::prctl, 23, 21);
  probe(Nr::prctl, 9999, 1, 2, 3, 4);
  probe(Nr::prctl, 1, 0);
  probe(Nr::ptrace, 16, 99999999, 0, 0);
  probe(Nr::ptrace, 0x4200, 99999999, 0, 0x10);
  probe(Nr::unshare, 0x200);
  probe(Nr::setns, 99, 0x20000000);
  probe(Nr::wait4, -1, 0, 0x40000001, 0);
  probe(Nr::waitid, 1, 99999999, 0, 4, 0);
  probe(Nr::getpriority, 0, 0);
  probe(Nr::sched_setscheduler, 99999999, 1, 0);
  probe(Nr::sched_getscheduler, 0);
  probe(Nr::sched_get_priority_max, 1);
  probe(Nr::ioprio_get, 1, 0);
  probe(Nr::ioprio_set, 1, 0, 0x4004);
  probe(Nr::personality, 0xffffffffU);
  probe(Nr::prlimit64, 0, 7, 0, 0);
  probe(Nr::prlimit64, 0, 77, 0, 0);
  probe(Nr::setrlimit, 3, 0);
  probe(Nr::getrusage, -1, 1);
  probe(Nr::pidfd_open, 99999999, 04000);
  probe(Nr::pidfd_send_signal, 99, 9, 0, 0);
  probe(Nr::kcmp, 99999999, 99999999, 0, 0, 0);
  probe(Nr::setuid, -1);
  probe(Nr::setresuid, -1, -1, -1);
  probe(Nr::umask, 022);
  probe(Nr::umask, 022);
  probe(Nr::getppid);
  probe(Nr::gettid);
  probe(Nr::getuid);
  probe(Nr::seccomp, 1, 0, 0);
  probe(Nr::seccomp, 2, 0, 0);
  probe(Nr::arch_prctl, 0x1004, 0);
  probe(Nr::landlock_restrict_self, 99, 0);
}

/// What lies behind pointers stays as it is until the lines are written. From memory of its own: allocating
/// could show up in the trace.
template <class T>
T* kept(T value) {
  alignas(16) static std::array<std::byte, 65536> memory;
  static std::size_t used = 0;
  used = (used + 15) & ~std::size_t{15};
  if (used + sizeof value > memory.size()) std::abort();
  void* const at = memory.data() + used;
  used += sizeof value;
  return new (at) T(value);
}

void times() {
  const auto pair = [](long s0, long n0, long s1, long n1) {
    return kept(std::array<long, 4>{s0, n0, s1, n1});
  };
  static auto* filled = pair(7, 7, 7, 7);
  constexpr long kNow = (1L << 30) - 1;
  constexpr long kOmit = (1L << 30) - 2;
  auto* moments = pair(1, 2, 0, kNow);
  auto* omitted = pair(1700000000, 0, 0, kOmit);
  auto* zero = pair(0, 0, 0, 0);
  auto* negative = pair(-5, -3, 0, 0);
  auto* micro = pair(1, 2, 3, 1000001);
  auto* old = kept(std::array<long, 2>{1, 0});
  auto* brief = kept(std::array<long, 2>{0, 5});
  auto* timer = pair(0, 5, 1000, 2);
  auto* none = pair(0, 0, 0, 0);
  auto* before = pair(1, 1, 1, 1);
  auto* now = pair(1, 1, 1, 1);
  auto* resolution = pair(1, 1, 1, 1);
  auto* alarm = pair(1, 1, 1, 1);
  auto* day = pair(1, 1, 1, 1);
  probe(Nr::utimensat, AT_FDCWD, "/proc/none", moments, 0);
  probe(Nr::utimensat, AT_FDCWD, "/proc/none", omitted, 0);
  probe(Nr::utimensat, AT_FDCWD, "/proc/none", zero, 0);
  probe(Nr::utimensat, AT_FDCWD, "/proc/none", negative, 0);
  probe(Nr::utimes, "/proc/none", micro);
  probe(Nr::futimesat, AT_FDCWD, "/proc/none", micro);
  probe(Nr::utime, "/proc/none", old);
  probe(Nr::nanosleep, brief, 0);
  probe(Nr::nanosleep, negative, 0);
  probe(Nr::clock_nanosleep, 1, 0, brief, 0);
  probe(Nr::clock_gettime, 1, now);
  probe(Nr::clock_getres, 1, resolution);
  probe(Nr::clock_settime, 0, negative);
  probe(Nr::gettimeofday, day, 0);
  probe(Nr::setitimer, 1, timer, 0);
  probe(Nr::getitimer, 1, alarm);
  probe(Nr::setitimer, 1, none, before);
  probe(Nr::timer_settime, 99, 1, timer, 0);
  probe(Nr::timerfd_settime, 99, 1, timer, 0);
  probe(Nr::timerfd_gettime, 99, filled);
}

void structures() {
  using Longs = std::array<std::uint64_t, 4>;
  probe(Nr::getrlimit, 7, kept(Longs{}));
  probe(Nr::setrlimit, 99, kept(Longs{8388608, UINT64_MAX}));
  probe(Nr::prlimit64, 0, 99, kept(Longs{4097, 1024}), kept(Longs{}));
  probe(Nr::prlimit64, 0, 3, 0, kept(Longs{}));
  probe(Nr::rt_sigprocmask, 0, kept(std::uint64_t{1ULL << 1 | 1ULL << 33 | 1ULL << 39}),
        kept(std::uint64_t{}), 8);
  probe(Nr::rt_sigprocmask, 1, kept(~std::uint64_t{0x4100}), kept(std::uint64_t{}), 8);
  probe(Nr::rt_sigprocmask, 2, kept(std::uint64_t{0}), 0, 8);
  probe(Nr::rt_sigprocmask, 9, kept(~std::uint64_t{0}), 0, 8);
  probe(Nr::rt_sigaction, 12, kept(Longs{0x4012345, 0xfc000007, 0x777777777, 1ULL << 11}), kept(Longs{}), 8);
  probe(Nr::rt_sigaction, 12, kept(Longs{1, 0x4, 0, 0}), kept(Longs{}), 8);
  probe(Nr::rt_sigaction, 12, kept(Longs{0, 0, 0, 0}), 0, 8);
  probe(Nr::rt_sigaction, 12, 0, kept(Longs{}), 8);
  probe(Nr::rt_sigaction, 9, kept(Longs{1, 0, 0, 0}), 0, 8);
  probe(Nr::rt_sigpending, kept(std::uint64_t{}), 8);
  probe(Nr::sched_setparam, 99999999, kept(5));
  probe(Nr::sched_getparam, 0, kept(7));
  probe(Nr::sched_setscheduler, 99999999, 1, kept(5));
  probe(Nr::sched_rr_get_interval, 0, kept(Longs{}));
  probe(Nr::sched_setattr, 99999999, kept(std::array<std::uint32_t, 14>{48, 1, 1, 0, 5, 6, 7, 0, 8, 0, 9}),
        0);
  probe(Nr::setgroups, 40000000, kept(Longs{}));
  probe(Nr::getgroups, 64, kept(std::array<std::uint32_t, 64>{}));
  using Halves = std::array<std::uint32_t, 6>;
  probe(Nr::capget, kept(std::array<std::uint32_t, 2>{0x20080522, 0}), kept(Halves{}));
  probe(Nr::capset, kept(std::array<std::uint32_t, 2>{0x20080522, 99999999}),
        kept(Halves{3, 0xffffffff, 0, 0, 0x1ff, 0}));
  probe(Nr::mount_setattr, AT_FDCWD, "/proc/none", 0, kept(Longs{1, 0, 0, 0}), 32);
  probe(Nr::mount_setattr, AT_FDCWD, "/proc/none", 0x8000, kept(Longs{0x100001, 0x10, 1 << 18, 99}), 32);
  probe(Nr::mount, "a", "/proc/none", "tmpfs", 0, "size=1m,mode=755");
  probe(Nr::setxattr, "/proc/none", "user.x", "ab\0c", 4, 1);
  probe(Nr::setxattr, "/proc/none", "user.x", "01234567890123456789", 20, 0);
}

int epoll = -1;
pid_t exited_child = -1;
pid_t killed_child = -1;
std::array<pid_t, 3> waited_children;
int terminal = -1;
int with_a_byte = -1;  // a pipe's end, and one that has nothing
int without = -1;
int writable = -1;

/// What waiting() works on, made where strace's lines are not compared yet.
void prepare() {
  epoll = ::epoll_create1(0);
  exited_child = ::fork();
  if (exited_child == 0) ::_exit(3);
  killed_child = ::fork();
  if (killed_child == 0) {
    ::pause();
    ::_exit(0);
  }
  ::kill(killed_child, SIGKILL);
  for (pid_t& child : waited_children) {
    child = ::fork();
    if (child == 0) ::_exit(4);
  }
  terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  std::array<int, 2> ends;
  std::array<int, 2> others;
  if (::pipe(ends.data()) != 0 || ::pipe(others.data()) != 0 || ::write(ends[1], "x", 1) != 1) std::abort();
  with_a_byte = ends[0];
  writable = ends[1];
  without = others[0];
}

/// What the system says of itself, of filesystems and of children.
void tellings() {
  using Bytes = std::array<std::byte, 512>;
  for (const char* path : {"/", "/proc", "/sys", "/dev", "/dev/pts", "/proc/none"})
    probe(Nr::statfs, path, kept(Bytes{}));
  probe(Nr::fstatfs, with_a_byte, kept(Bytes{}));
  probe(Nr::fstatfs, -1, kept(Bytes{}));
  probe(Nr::uname, kept(Bytes{}));
  probe(Nr::sysinfo, kept(Bytes{}));
  probe(Nr::times, kept(Bytes{}));
  probe(Nr::getrusage, 0, kept(Bytes{}));
  probe(Nr::getrusage, 99, kept(Bytes{}));
  for (const std::uint32_t nr : {Nr::uname, Nr::sysinfo, Nr::times, Nr::getrusage}) {
    probe(nr, 0, 0);
    probe(nr, 1, 1);
  }
  probe(Nr::wait4, waited_children[0], kept(0), 0, kept(Bytes{}));
  probe(Nr::wait4, 99999999, kept(0), 0, kept(Bytes{}));
  probe(Nr::waitid, 1, waited_children[1], kept(Bytes{}), 4, kept(Bytes{}));
  probe(Nr::waitid, 1, waited_children[2], kept(Bytes{}), 0x1000004, 0);
  probe(Nr::waitid, 1, waited_children[2], 0, 4, kept(Bytes{}));
  probe(Nr::waitid, 1, 99999999, kept(Bytes{}), 4, kept(Bytes{}));
}

/// Timeouts of calls that wait, and what they wait for.
void waits() {
  using Pair = std::array<long, 2>;
  auto* const none = kept(Pair{0, 0});
  auto* const brief = kept(Pair{0, 7});
  auto* const word_of_futex = kept(5);
  for (const int command : {0, 9, 11}) probe(Nr::futex, word_of_futex, command, 5, brief, word_of_futex, 1);
  probe(Nr::futex, word_of_futex, 128, 5, kept(Pair{0, 7}), 0, 0);
  probe(Nr::futex, word_of_futex, 128 | 9 | 256, 6, kept(Pair{1, 2}), 0, -1);
  for (const int command : {6, 13}) probe(Nr::futex, kept(1), command, 0, kept(Pair{-1, 2}), 0, 0);
  probe(Nr::futex, word_of_futex, 1, 1, brief, 0, 0);
  probe(Nr::futex, word_of_futex, 3, 1, brief, word_of_futex, 0);
  probe(Nr::futex, word_of_futex, 99, 1, brief, 0, 3);
  struct Waiter {
    std::uint64_t value;
    const void* address;
    std::uint32_t flags, reserved;
  };
  using Waiters = std::array<Waiter, 2>;
  auto* const waiters = kept(Waiters{{{9, word_of_futex, 2, 0}, {1, nullptr, 0x82, 7}}});
  probe(Nr::futex_waitv, waiters, 2, 0, kept(Pair{1, 5}), 1);
  probe(Nr::futex_waitv, kept(Waiters{{{9, word_of_futex, 2, 0}, {}}}), 1, 0, 0, 0);
  using Set = std::array<std::uint64_t, 16>;
  const auto set = [](std::initializer_list<int> all) {
    Set made = {};
    for (const int fd : all) made.at(static_cast<std::size_t>(fd) / 64) |= 1ULL << fd % 64;
    return kept(made);
  };
  probe(Nr::select, with_a_byte + 1, set({with_a_byte}), 0, 0, none);
  probe(Nr::select, 0, set({0}), 0, 0, none);
  const int readable = with_a_byte;
  const int last = std::max({with_a_byte, without, writable}) + 1;
  probe(Nr::select, last, set({readable, without}), set({writable}), set({readable}), kept(Pair{5, 0}));
  probe(Nr::select, last, set({without}), set({}), set({without}), kept(Pair{0, 7}));
  probe(Nr::select, last, set({without}), set({writable}), 0, 0);
  probe(Nr::select, 1024, set({}), 0, 0, none);
  probe(Nr::select, 1000, set({700, 3, 999, 1001}), 0, 0, kept(Pair{-1, 5}));
  probe(Nr::select, -3, set({1}), 0, 0, none);
  probe(Nr::select, 4, 0, 0, 0, none);
  probe(Nr::pselect6, with_a_byte + 1, set({with_a_byte}), 0, 0, none, 0);
  struct Mask {
    const std::uint64_t* signals;
    std::uint64_t size;
  };
  auto* const user = kept(std::uint64_t{1} << 9U);
  probe(Nr::pselect6, last, set({readable, without}), set({writable}), 0, kept(Pair{5, 0}),
        kept(Mask{user, 8}));
  probe(Nr::pselect6, last, set({without}), 0, set({}), none, kept(Mask{nullptr, 8}));
  probe(Nr::pselect6, last, set({without}), 0, 0, none, kept(Mask{user, 7}));
  probe(Nr::pselect6, 70, set({69, 64, 0}), 0, 0, kept(Pair{-1, 5}), 0);
  struct Event {
    std::uint32_t words[3];
  };
  probe(Nr::epoll_pwait2, epoll, kept(std::array<Event, 4>{}), 4, brief, 0, 8);
  probe(Nr::epoll_pwait2, epoll, kept(std::array<Event, 4>{}), 4, brief, user, 8);
  struct Polled {
    int fd;
    short events, revents;
  };
  using Two = std::array<Polled, 2>;
  const auto in = static_cast<short>(1);
  probe(Nr::poll, kept(Two{{{without, in, 9}, {with_a_byte, in, 0}}}), 2, 0);
  probe(Nr::poll, kept(Two{{{without, in, 0}, {-5, in, 0}}}), 2, 0);
  probe(Nr::ppoll, kept(Two{{{without, in, 9}, {with_a_byte, in, 0}}}), 2, kept(Pair{5, 0}), user, 8);
  probe(Nr::ppoll, kept(Two{{{without, in, 9}, {with_a_byte, in, 0}}}), 2, 0, 0, 8);
  probe(Nr::ppoll, kept(Two{{{without, in, 9}, {without, in, 0}}}), 2, kept(Pair{0, 5}), 0, 8);
  probe(Nr::poll, kept(Two{{{12345, in, 0}, {with_a_byte, 0x40 | in, 0}}}), 2, 0);
}

void terminals() {
  using Words = std::array<std::uint32_t, 16>;
  auto* const settings = kept(Words{});
  auto* const others = kept(Words{0x7fff, 0xffff, 0x1fff1007, 0x1ffff, 0});
  probe(Nr::ioctl, terminal, 0x5401, settings);
  probe(Nr::ioctl, terminal, 0x5402, settings);
  probe(Nr::ioctl, terminal, 0x5402, others);
  probe(Nr::ioctl, terminal, 0x5401, kept(Words{}));
  probe(Nr::ioctl, with_a_byte, 0x5401, kept(Words{}));
  probe(Nr::ioctl, -1, 0x5403, kept(Words{1, 0xadff, 0x8000103f, 1U << 31}));
  probe(Nr::ioctl, -1, 0x5404, kept(Words{1U << 31, 1U << 31, 1U << 29, 0}));
  probe(Nr::ioctl, -1, 0x5404, 1);
  probe(Nr::ioctl, terminal, 0x5414, kept(std::array<std::uint16_t, 4>{25, 80, 1, 2}));
  probe(Nr::ioctl, terminal, 0x5413, kept(std::array<std::uint16_t, 4>{}));
  probe(Nr::ioctl, with_a_byte, 0x5413, kept(std::array<std::uint16_t, 4>{}));
  probe(Nr::ioctl, with_a_byte, 0x541b, kept(77));
  probe(Nr::ioctl, -1, 0x541b, kept(77));
  for (const std::uint32_t request : {0x540fU, 0x5410U, 0x5411U, 0x5419U, 0x541aU, 0x5420U, 0x5423U, 0x5424U,
                                      0x5429U, 0x80045430U, 0x80045432U, 0x80045440U, 0x40045431U})
    probe(Nr::ioctl, terminal, request, kept(0));
  probe(Nr::ioctl, with_a_byte, 0x5421, kept(1));
  probe(Nr::ioctl, with_a_byte, 0x5421, 0);
  probe(Nr::ioctl, -1, 0x5452, kept(-7));
  for (const std::uint32_t request : {0x5409U, 0x540cU, 0x540dU, 0x540eU, 0x541dU, 0x5422U, 0x5425U, 0x5427U,
                                      0x5428U, 0x5437U, 0x5450U, 0x5451U})
    probe(Nr::ioctl, -1, request, 5);
}

void waiting() {
  static std::array<int, 2> ends;
  static std::array<int, 2> sockets;
  probe(Nr::pipe2, &ends, O_CLOEXEC);
  probe(Nr::socketpair, AF_UNIX, SOCK_STREAM, 0, &sockets);
  probe(Nr::write, ends[1], "x", 1);
  struct [[gnu::packed]] Event {
    std::uint32_t events;
    std::uint64_t data;
  };
  probe(Nr::epoll_ctl, epoll, 1, 99, kept(Event{0xf00027ff, 21474836483}));
  probe(Nr::epoll_ctl, epoll, 1, ends[0], kept(Event{1, 21474836483}));
  probe(Nr::epoll_wait, epoll, kept(std::array<Event, 4>{}), 4, 0);
  probe(Nr::epoll_ctl, epoll, 2, ends[0], kept(Event{1, 2}));
  probe(Nr::epoll_wait, epoll, kept(std::array<Event, 4>{}), 4, 0);
  probe(Nr::setsockopt, sockets[0], 1, 2, kept(1), 4);
  probe(Nr::getsockopt, sockets[0], 1, 3, kept(0), kept(4));
  probe(Nr::setsockopt, sockets[0], 1, 13, kept(std::array<int, 2>{1, 5}), 8);
  probe(Nr::setsockopt, sockets[0], 1, 25, "eth", 3);
  probe(Nr::wait4, exited_child, kept(0), 0, 0);
  probe(Nr::wait4, killed_child, kept(0), 0, 0);
  probe(Nr::wait4, -1, kept(0), 1, 0);
  probe(Nr::stat, "/dev/null", kept(std::array<std::uint64_t, 18>{}));
  probe(Nr::stat, "/etc", kept(std::array<std::uint64_t, 18>{}));
  probe(Nr::lstat, "/proc/self", kept(std::array<std::uint64_t, 18>{}));
  probe(Nr::fstat, ends[0], kept(std::array<std::uint64_t, 18>{}));
  probe(Nr::newfstatat, AT_FDCWD, "/etc/passwd", kept(std::array<std::uint64_t, 18>{}), 0);
  probe(Nr::statx, AT_FDCWD, "/etc/passwd", 0, 0x7ff, kept(std::array<std::uint64_t, 32>{}));
}

void rest() {
  probe(Nr::futex, 0, 129, 1, 0, 0, 0);
  probe(Nr::futex, 0, 0x80 | 9 | 256, 1, 0, 0, -1);
  probe(Nr::futex, 0, 3, 1, 2, 0, 0);
  probe(Nr::futex, 0, 0, 1, 0, 0, 0);
  probe(Nr::clock_gettime, 1, 0);
  probe(Nr::clock_nanosleep, 1, 1, 0, 0);
  probe(Nr::nanosleep, 0, 0);
  probe(Nr::setitimer, 1, 0, 0);
  probe(Nr::timer_delete, 99);
  probe(Nr::getrandom, 0, 0, 3);
  probe(Nr::bpf, 99, 0, 1);
  probe(Nr::keyctl, 55, 1, 2, 3, 4);
  probe(Nr::perf_event_open, 0, 0, -1, -1, 8);
  probe(Nr::clone3, 0, 88);
  probe(Nr::io_uring_setup, 99, 0);
  probe(Nr::write, 99, "hello\n", 6);
  probe(500, 1, 2, 3, 4, 5, 6);
  probe(Nr::fsmount, 99, 1, 2);
}

/// Nothing if it cannot be read: some of the calls are given numbers for pointers.
std::optional<std::string> memory_at(std::uint64_t address, std::uint64_t size) {
  std::string bytes(size, '\0');
  struct iovec local = {bytes.data(), bytes.size()};
  struct iovec remote = {reinterpret_cast<void*>(address), size};
  if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) != static_cast<ssize_t>(size))
    return std::nullopt;
  return bytes;
}

/// What a pointer and a number lead to.
void append_inner(std::string& bytes) {
  std::uint64_t inner = 0;
  std::memcpy(&inner, bytes.data(), sizeof inner);
  if (inner != 0) bytes.append(reinterpret_cast<const char*>(inner), 8);
}

/// What a tracer would have read from the memory of the caller: here, our own.
Call seen(const Probe& one) {
  Call call;
  call.nr = one.nr;
  call.args = one.args;
  call.returned = true;
  call.result = one.result;
  const Syscall* info = find_syscall(one.nr);
  if (info == nullptr) return call;
  const auto readable = [&](std::size_t i) { return one.args[i] >= kFirstPage; };
  for (const std::size_t i : info->strings()) {
    if (readable(i)) call.texts[i] = Text{reinterpret_cast<const char*>(one.args[i]), false};
  }
  for (std::size_t i = 0; i + 1 < info->count; ++i) {
    const auto* bytes = reinterpret_cast<const char*>(one.args[i]);
    if (!readable(i)) continue;
    if (info->args[i] == Arg::kBuffer && info->args[i + 1] == Arg::kSize) {
      call.texts[i] = Text{std::string(bytes, one.args[i + 1]), false};
    }
  }
  for (std::uint8_t i = 0; i < info->count; ++i) {
    const auto capture = capture_of(info->args[i], i);
    if (!capture || !readable(i) || (capture->out && one.result < 0)) continue;
    call.blobs[i] = memory_at(one.args[i], captured_bytes(*capture, one));
    if (!call.blobs[i]) continue;
    if (capture->both) {
      if (one.result >= 0) call.blobs_after[i] = call.blobs[i];
      call.blobs[i] = std::string(one.before[i].data(), captured_bytes(*capture, one));
    }
    if (capture->length == Capture::Length::kNested) append_inner(*call.blobs[i]);
    const bool message = info->args[i] == Arg::kMessage || info->args[i] == Arg::kMessageOut;
    const auto* header = reinterpret_cast<const struct msghdr*>(one.args[i]);
    if (message && header->msg_name != nullptr)
      call.peer = std::string(static_cast<const char*>(header->msg_name), header->msg_namelen);
  }
  return call;
}

/// Without what strace knows more of: second names of requests.
std::string without_more(const std::string& line) {
  static const std::regex kMore("SNDCTL_TMR_\\w+ or ");
  return std::regex_replace(line, kMore, "");
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Runs this program's hidden test case under strace; its exit status, 127 if there is no strace.
int run_traced(const std::string& trace, const std::string& own) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");  // strace has another self
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kOwnLines, own.c_str(), 1);
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
    ::execlp("strace", "strace", "-qq", "-a", "1", "-s", "4096", "-e", "signal=none", "-o", trace.c_str(),
             "--", self.c_str(), "[traced]", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

TEST_CASE("makes the calls", "[.][traced]") {
  const char* own = ::getenv(kOwnLines);
  if (own == nullptr) return;
  prepare();
  ::close(kMarker);
  paths();
  descriptors();
  sockets();
  memory();
  processes();
  rest();
  times();
  structures();
  waiting();
  tellings();
  waits();
  terminals();
  ::close(kMarker);
  std::ofstream out(own);
  for (std::size_t i = 0; i < probe_count; ++i) out << format_call(seen(probes[i])) << '\n';
}

/// Ends the program as ctest and scripts/test know a skipped test.
[[noreturn]] void skip(const char* reason) {
  std::printf("test_lines_are_straces_own (unit_syscalls) ... skipped '%s'\n", reason);
  std::fflush(stdout);
  std::_Exit(77);
}

// A test of ctest's own, unit.strace: only so can it be skipped and say why.
TEST_CASE("lines are strace's own", "[.][strace]") {
  char name[] = "/tmp/rehearse-strace-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string directory = name;
  const int status = run_traced(directory + "/trace", directory + "/own");
  if (status != 0) {
    const bool traced = !lines_of(directory + "/trace").empty();
    std::filesystem::remove_all(directory);
    INFO("status " << status);
    REQUIRE_FALSE(traced);  // the program itself has failed
    skip(status == 127 ? "strace is not installed" : "strace cannot trace a child here");
  }
  const std::vector<std::string> own = lines_of(directory + "/own");
  std::vector<std::string> theirs;
  bool between = false;
  for (const std::string& line : lines_of(directory + "/trace")) {
    if (line.rfind("close(-77777)", 0) == 0) {
      between = !between;
    } else if (between) {
      theirs.push_back(without_more(line));
    }
  }
  std::filesystem::remove_all(directory);
  CHECK(own.size() > 350);
  REQUIRE(own.size() == theirs.size());
  for (std::size_t i = 0; i < own.size(); ++i) CHECK(own[i] == theirs[i]);
}
