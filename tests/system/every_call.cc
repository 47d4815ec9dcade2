// Makes every system call of the table that can be made without harm: first in ways that fail, with nothing
// and then with empty memory behind each pointer, then one after the other in ways that succeed. What two
// observers say of them must agree; nothing is printed. `every_call --left-out` says which calls are not
// made, and why.
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "syscalls/table.h"

namespace {

using namespace rehearse::syscalls;

constexpr long kMarker = -77777;  // close() of it stands before and after the calls to be compared

struct LeftOut {
  std::uint32_t nr;
  const char* reason;
};

constexpr LeftOut kLeftOut[] = {
    {Nr::exit, "ends the caller"},
    {Nr::exit_group, "ends the caller"},
    {Nr::fork, "made by `calls families`"},
    {Nr::vfork, "made by `calls families`"},
    {Nr::clone, "made by `calls families`"},
    {Nr::clone3, "refused, and would go on twice where it is not"},
    {Nr::rt_sigreturn, "restores registers that were never saved"},
    {Nr::pause, "never returns; made by `calls killed`"},
    {Nr::uretprobe, "raises SIGILL outside a probe"},
    {Nr::uprobe, "raises SIGILL outside a probe"},
};

/// What would do something, wait for ever or hang the caller with the value that arguments of its kind have.
struct Override {
  std::uint32_t nr;
  std::size_t arg;
  std::uint64_t value;
};
constexpr std::uint64_t kEmpty = UINT64_MAX;  // the address of empty memory
constexpr Override kOverrides[] = {
    {Nr::close_range, 0, 91},      {Nr::close_range, 1, 92},         {Nr::sethostname, 1, 99999},
    {Nr::setdomainname, 1, 99999}, {Nr::settimeofday, 0, 0},         {Nr::settimeofday, 1, 0},
    {Nr::select, 4, kEmpty},       {Nr::pselect6, 4, kEmpty},        {Nr::ppoll, 2, kEmpty},
    {Nr::rt_sigsuspend, 0, 0},     {Nr::rt_sigtimedwait, 2, kEmpty}, {Nr::capset, 0, 0},
    {Nr::set_tid_address, 0, 0},   {Nr::msgsnd, 0, 99999},           {Nr::msgrcv, 0, 99999},
    {Nr::kexec_load, 3, 0xffff},
};

alignas(64) char empty_memory[4096];

std::optional<std::uint64_t> overridden(std::uint32_t nr, std::size_t arg) {
  for (const Override& one : kOverrides) {
    if (one.nr == nr && one.arg == arg)
      return one.value == kEmpty ? reinterpret_cast<std::uint64_t>(empty_memory) : one.value;
  }
  return std::nullopt;
}

std::uint64_t harmless(Arg kind, std::size_t index, bool memory) {
  switch (kind) {
    case Arg::kFd:
    case Arg::kAtFd:
      return 91 + index;
    case Arg::kPath:
    case Arg::kString:
      return reinterpret_cast<std::uint64_t>("/proc/none/x");
    case Arg::kPid:
      return 99999999;
    case Arg::kSeccompOp:
    case Arg::kPrctlOption:
    case Arg::kPtraceRequest:
    case Arg::kFutexOp:
    case Arg::kKeyctlCommand:
    case Arg::kBpfCommand:
    case Arg::kResource:
    case Arg::kClockId:
    case Arg::kItimer:
    case Arg::kPriorityWhich:
    case Arg::kIoprioWho:
    case Arg::kArchPrctl:
      return 99;
    case Arg::kPointer:
    case Arg::kBuffer:
    case Arg::kArgv:
    case Arg::kEnvp:
    case Arg::kSockaddrLength:
#define STRUCT(name, ...) case Arg::k##name:
#include "syscalls/structs.def"
#undef STRUCT
      return memory ? reinterpret_cast<std::uint64_t>(empty_memory) : 0;
    default:
      return 0;
  }
}

bool is_left_out(std::uint32_t nr) {
  for (const LeftOut& one : kLeftOut) {
    if (one.nr == nr) return true;
  }
  return false;
}

void make_failing(bool memory) {
  for (const Syscall& info : all_syscalls()) {
    if (is_left_out(info.nr)) continue;
    std::array<std::uint64_t, kMaxArguments> args = {};
    for (std::size_t i = 0; i < info.count; ++i)
      args[i] = overridden(info.nr, i).value_or(harmless(info.args[i], i, memory));
    std::memset(empty_memory, 0, sizeof empty_memory);
    ::syscall(static_cast<long>(info.nr), args[0], args[1], args[2], args[3], args[4], args[5]);
  }
}

template <class... Args>
long call(std::uint32_t nr, Args... args) {
  return ::syscall(static_cast<long>(nr), args...);
}

char buffer[4096];

void use_files() {
  const int top = static_cast<int>(call(Nr::open, ".", O_RDONLY | O_DIRECTORY));
  const int file = static_cast<int>(call(Nr::openat, top, "file", O_RDWR | O_CREAT | O_EXCL, 0640));
  call(Nr::write, file, "hello, world\n", 13);
  call(Nr::pwrite64, file, "HELLO", 5, 0);
  call(Nr::lseek, file, 0, SEEK_SET);
  call(Nr::read, file, buffer, 5);
  call(Nr::pread64, file, buffer, 5, 2);
  struct iovec part = {buffer, 4};
  call(Nr::writev, file, &part, 1);
  call(Nr::pwritev, file, &part, 1, 20L, 0);
  call(Nr::pwritev2, file, &part, 1, 24L, 0, 0);
  call(Nr::lseek, file, 0, SEEK_SET);
  call(Nr::readv, file, &part, 1);
  call(Nr::preadv, file, &part, 1, 1L, 0);
  call(Nr::preadv2, file, &part, 1, 1L, 0, 0);
  call(Nr::ftruncate, file, 100);
  call(Nr::truncate, "file", 50);
  call(Nr::fallocate, file, 0, 0L, 4096L);
  call(Nr::fadvise64, file, 0L, 0L, 4);
  call(Nr::readahead, file, 0L, 10L);
  call(Nr::sync_file_range, file, 0L, 0L, 2);
  call(Nr::fsync, file);
  call(Nr::fdatasync, file);
  call(Nr::fchmod, file, 0600);
  call(Nr::chmod, "file", 0644);
  call(Nr::fchmodat, top, "file", 0640);
  call(Nr::fchown, file, 0, 0);
  call(Nr::chown, "file", 0, 0);
  call(Nr::lchown, "file", -1, 0);
  call(Nr::fchownat, top, "file", 0, -1, 0);
  call(Nr::flock, file, 2);
  call(Nr::flock, file, 8);
  call(Nr::access, "file", R_OK);
  call(Nr::faccessat, top, "file", W_OK);
  call(Nr::faccessat2, top, "file", W_OK, AT_EACCESS);
  call(Nr::fcntl, file, F_GETFL);
  call(Nr::fcntl, file, F_SETFD, FD_CLOEXEC);
  call(Nr::fcntl, file, F_DUPFD_CLOEXEC, 60);
  struct stat st = {};
  call(Nr::stat, "file", &st);
  call(Nr::lstat, "file", &st);
  call(Nr::fstat, file, &st);
  call(Nr::newfstatat, top, "file", &st, 0);
  static struct statx more;
  call(Nr::statx, top, "file", 0, 0x7ff, &more);
  call(Nr::statfs, ".", buffer);
  call(Nr::fstatfs, file, buffer);
  const long moments[4] = {1700000000, 5, 1600000000, 0};
  call(Nr::utimensat, top, "file", moments, 0);
  const long micro[4] = {1700000000, 5, 1600000000, 0};
  call(Nr::utimes, "file", micro);
  call(Nr::futimesat, top, "file", micro);
  const long seconds[2] = {1700000000, 1600000000};
  call(Nr::utime, "file", seconds);
  call(Nr::setxattr, "file", "user.a", "value", 5, 0);
  call(Nr::fsetxattr, file, "user.b", "value", 5, 1);
  call(Nr::getxattr, "file", "user.a", buffer, 100);
  call(Nr::fgetxattr, file, "user.b", buffer, 100);
  call(Nr::listxattr, "file", buffer, 100);
  call(Nr::flistxattr, file, buffer, 100);
  call(Nr::removexattr, "file", "user.a");
  call(Nr::fremovexattr, file, "user.b");
  call(Nr::link, "file", "second");
  call(Nr::linkat, top, "file", top, "third", 0);
  call(Nr::symlink, "file", "link");
  call(Nr::symlinkat, "file", top, "link2");
  call(Nr::readlink, "link", buffer, 100);
  call(Nr::readlinkat, top, "link2", buffer, 100);
  call(Nr::rename, "second", "fourth");
  call(Nr::renameat, top, "third", top, "fifth");
  call(Nr::renameat2, top, "fourth", top, "fifth", 0);
  call(Nr::unlink, "fifth");
  call(Nr::unlinkat, top, "link", 0);
  call(Nr::mkdir, "one", 0755);
  call(Nr::mkdirat, top, "two", 0700);
  call(Nr::rmdir, "one");
  call(Nr::mknod, "fifo", S_IFIFO | 0600, 0);
  call(Nr::mknodat, top, "fifo2", S_IFIFO | 0600, 0);
  call(Nr::creat, "made", 0600);
  call(Nr::getcwd, buffer, sizeof buffer);
  call(Nr::getdents64, top, buffer, sizeof buffer);
  call(Nr::lseek, top, 0, SEEK_SET);
  call(Nr::getdents, top, buffer, sizeof buffer);
  call(Nr::fchdir, top);
  call(Nr::chdir, "two");
  call(Nr::chdir, "..");
  call(Nr::inotify_add_watch, call(Nr::inotify_init1, 0), ".", 0x100);
  const int copy = static_cast<int>(call(Nr::memfd_create, "copy", 1));
  call(Nr::sendfile, copy, file, nullptr, 5);
  call(Nr::copy_file_range, file, nullptr, copy, nullptr, 5, 0);
  call(Nr::syncfs, file);
  static const std::uint64_t how[3] = {O_RDONLY | O_CLOEXEC, 0, 8};
  call(Nr::openat2, top, "file", how, sizeof how);
}

void use_descriptors() {
  int ends[2] = {};
  call(Nr::pipe2, ends, O_NONBLOCK);
  call(Nr::write, ends[1], "abcdef", 6);
  int others[2] = {};
  call(Nr::pipe, others);
  call(Nr::tee, ends[0], others[1], 3, 0);
  call(Nr::splice, ends[0], nullptr, others[1], nullptr, 3, 0);
  struct iovec part = {buffer, 4};
  call(Nr::vmsplice, others[1], &part, 1, 0);
  call(Nr::dup, ends[0]);
  call(Nr::dup2, ends[0], 70);
  call(Nr::dup3, ends[0], 71, O_CLOEXEC);
  call(Nr::close, 70);
  call(Nr::close_range, 71, 71, 0);
  const int epoll = static_cast<int>(call(Nr::epoll_create1, EPOLL_CLOEXEC));
  call(Nr::epoll_create, 5);
  struct epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = 7;
  call(Nr::epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], &event);
  call(Nr::epoll_wait, epoll, &event, 1, 0);
  event.events = EPOLLOUT;
  call(Nr::epoll_ctl, epoll, EPOLL_CTL_MOD, ends[0], &event);
  call(Nr::epoll_pwait, epoll, &event, 1, 0, nullptr, 8);
  call(Nr::epoll_ctl, epoll, EPOLL_CTL_DEL, ends[0], &event);
  struct pollfd polled = {others[0], POLLIN, 0};
  call(Nr::poll, &polled, 1, 0);
  struct pollfd both[2] = {{others[1], POLLOUT, 0}, {others[0], POLLIN, 0}};
  call(Nr::poll, both, 2, 0);
  const long at_once[2] = {0, 0};
  call(Nr::ppoll, both, 2, at_once, nullptr, 8);
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(others[0], &readable);
  FD_SET(ends[0], &readable);
  call(Nr::select, others[0] + 1, &readable, nullptr, nullptr, at_once);
  FD_SET(others[0], &readable);
  call(Nr::pselect6, others[0] + 1, &readable, nullptr, nullptr, at_once, nullptr);
  fd_set writable;
  FD_ZERO(&writable);
  FD_SET(others[1], &writable);
  FD_SET(others[0], &readable);
  const std::uint64_t mask = std::uint64_t{1} << 9U;
  const struct {
    const std::uint64_t* signals;
    std::uint64_t size;
  } masked = {&mask, 8}, no_mask = {nullptr, 8};
  struct timespec span = {5, 0};
  call(Nr::pselect6, others[1] + 1, &readable, &writable, nullptr, &span, &masked);
  call(Nr::pselect6, others[1] + 1, nullptr, &writable, &readable, nullptr, &no_mask);
  span = {5, 0};
  call(Nr::ppoll, both, 2, &span, &mask, 8);
  call(Nr::epoll_pwait2, epoll, &event, 1, at_once, nullptr, 8);
  call(Nr::epoll_pwait2, epoll, &event, 1, at_once, &mask, 8);
  int number = 1;
  call(Nr::ioctl, others[0], FIONREAD, &number);
  call(Nr::ioctl, others[0], FIONBIO, &number);
  call(Nr::ioctl, others[0], TCGETS, buffer);
  const int terminal = static_cast<int>(call(Nr::open, "/dev/ptmx", O_RDWR | O_NOCTTY));
  call(Nr::ioctl, terminal, TCGETS, buffer);
  call(Nr::ioctl, terminal, TIOCGWINSZ, buffer);
  const int timer = static_cast<int>(call(Nr::timerfd_create, 1, 0));
  const long spec[4] = {0, 0, 1000, 5};
  long old[4] = {};
  call(Nr::timerfd_settime, timer, 0, spec, old);
  call(Nr::timerfd_gettime, timer, old);
  call(Nr::eventfd, 3);
  call(Nr::eventfd2, 3, 1);
  const std::uint64_t set = 1;
  call(Nr::signalfd4, -1, &set, 8, 0);
  call(Nr::signalfd, -1, &set, 8);
  call(Nr::inotify_init);
  call(Nr::pidfd_open, call(Nr::getpid), 0);
}

void use_sockets() {
  int pair[2] = {};
  call(Nr::socketpair, AF_UNIX, SOCK_DGRAM, 0, pair);
  struct iovec part = {buffer, 4};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  call(Nr::sendmsg, pair[0], &message, MSG_NOSIGNAL);
  call(Nr::recvmsg, pair[1], &message, 0);
  call(Nr::sendto, pair[0], "abc", 3, 0, nullptr, 0);
  call(Nr::recvfrom, pair[1], buffer, 100, 0, nullptr, nullptr);
  const int server = static_cast<int>(call(Nr::socket, AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(17171);
  const int yes = 1;
  call(Nr::setsockopt, server, SOL_SOCKET, SO_REUSEADDR, &yes, 4);
  call(Nr::bind, server, &address, sizeof address);
  call(Nr::listen, server, 5);
  socklen_t length = sizeof address;
  call(Nr::getsockname, server, &address, &length);
  const int client = static_cast<int>(call(Nr::socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6));
  call(Nr::connect, client, &address, sizeof address);
  call(Nr::accept4, server, &address, &length, SOCK_NONBLOCK);
  int value = 0;
  socklen_t size = 4;
  call(Nr::getsockopt, client, SOL_SOCKET, SO_TYPE, &value, &size);
  call(Nr::getpeername, client, &address, &length);
  call(Nr::shutdown, client, 2);
  const int datagrams = static_cast<int>(call(Nr::socket, AF_INET, SOCK_DGRAM, 0));
  address.sin_port = htons(17172);
  call(Nr::bind, datagrams, &address, sizeof address);
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  call(Nr::sendmsg, datagrams, &message, 0);
  call(Nr::recvmsg, datagrams, &message, MSG_DONTWAIT);
  struct mmsghdr several[1] = {};
  several[0].msg_hdr = message;
  call(Nr::sendmmsg, datagrams, several, 1, 0);
  call(Nr::recvmmsg, datagrams, several, 1, MSG_DONTWAIT, nullptr);
}

void use_memory() {
  auto* memory = reinterpret_cast<char*>(
      call(Nr::mmap, nullptr, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  call(Nr::mprotect, memory, 4096, PROT_READ);
  call(Nr::madvise, memory + 4096, 4096, MADV_DONTNEED);
  call(Nr::mlock, memory, 4096);
  call(Nr::mlock2, memory, 4096, 1);
  call(Nr::munlock, memory, 4096);
  call(Nr::msync, memory, 4096, MS_ASYNC);
  call(Nr::mincore, memory, 4096, buffer);
  call(Nr::mremap, memory + 8192, 8192, 4096, 0);
  call(Nr::munmap, memory, 4096);
  call(Nr::membarrier, 0, 0, 0);
  const int segment = static_cast<int>(call(Nr::shmget, 0, 4096, 01600));
  auto* shared = reinterpret_cast<char*>(call(Nr::shmat, segment, nullptr, 0));
  call(Nr::shmdt, shared);
  call(Nr::shmctl, segment, 0, 0);
  const int semaphores = static_cast<int>(call(Nr::semget, 0, 1, 01600));
  call(Nr::semctl, semaphores, 0, 12, 0);
  call(Nr::semctl, semaphores, 0, 0, 0);
  const int queue = static_cast<int>(call(Nr::msgget, 0, 01600));
  call(Nr::msgctl, queue, 0, 0);
  int word = 5;
  call(Nr::futex, &word, 129, 1, 0, 0, 0);
  const long brief[2] = {0, 5};
  call(Nr::futex, &word, 128, 5, brief, 0, 0);
  const struct {
    std::uint64_t value;
    int* address;
    std::uint32_t flags, reserved;
  } waiter = {6, &word, 2, 0};
  call(Nr::futex_waitv, &waiter, 1, 0, brief, 1);
}

void use_processes() {
  call(Nr::getpid);
  call(Nr::gettid);
  call(Nr::getpgid, 0);
  call(Nr::getsid, 0);
  call(Nr::getpriority, 0, 0);
  call(Nr::setpriority, 0, 0, 5);
  call(Nr::sched_getscheduler, 0);
  int priority = 0;
  call(Nr::sched_getparam, 0, &priority);
  call(Nr::sched_setscheduler, 0, 0, &priority);
  long interval[2] = {};
  call(Nr::sched_rr_get_interval, 0, interval);
  call(Nr::sched_get_priority_max, 1);
  call(Nr::sched_get_priority_min, 1);
  call(Nr::sched_getaffinity, 0, 128, buffer);
  call(Nr::sched_setaffinity, 0, 128, buffer);
  call(Nr::ioprio_get, 1, 0);
  struct rlimit limit = {};
  call(Nr::getrlimit, RLIMIT_NOFILE, &limit);
  call(Nr::setrlimit, RLIMIT_NOFILE, &limit);
  call(Nr::prlimit64, 0, RLIMIT_STACK, nullptr, &limit);
  call(Nr::getrusage, 0, buffer);
  call(Nr::prctl, 15, "another", 0, 0, 0);
  call(Nr::prctl, 3, 0, 0, 0, 0);
  call(Nr::personality, 0xffffffffU);
  call(Nr::setresuid, 0, 0, 0);
  call(Nr::setresgid, -1, -1, 0);
  call(Nr::setreuid, -1, 0);
  call(Nr::setregid, 0, -1);
  call(Nr::setfsuid, 0);
  call(Nr::setfsgid, 0);
  const std::uint32_t groups[2] = {0, 4};
  call(Nr::setgroups, 2, groups);
  call(Nr::getgroups, 64, buffer);
  std::uint32_t ids[3] = {};
  call(Nr::getresuid, &ids[0], &ids[1], &ids[2]);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {};
  call(Nr::capget, &header, sets);
  call(Nr::capset, &header, sets);
  struct {
    std::uint64_t handler, flags, restorer, mask;
  } handling = {1, 0, 0, 0}, earlier = {};
  call(Nr::rt_sigaction, 10, &handling, &earlier, 8);
  std::uint64_t set = 1ULL << 9;
  std::uint64_t old = 0;
  call(Nr::rt_sigprocmask, 0, &set, &old, 8);
  call(Nr::kill, call(Nr::getpid), 10);
  call(Nr::tgkill, call(Nr::getpid), call(Nr::gettid), 0);
  call(Nr::tkill, call(Nr::gettid), 0);
  call(Nr::rt_sigpending, &old, 8);
  call(Nr::unshare, 0x200);
  call(Nr::umask, 022);
  call(Nr::uname, buffer);
  call(Nr::sysinfo, buffer);
  call(Nr::times, buffer);
  const long one = call(Nr::fork);
  if (one == 0) call(Nr::exit_group, 3);
  int status = 0;
  call(Nr::wait4, one, &status, 0, buffer);
  const long other = call(Nr::fork);
  if (other == 0) call(Nr::exit_group, 4);
  std::memset(buffer, 0, sizeof buffer);
  call(Nr::waitid, P_PID, other, buffer, WEXITED, buffer + 1024);
}

void use_times() {
  long spec[4] = {};
  call(Nr::clock_gettime, 1, spec);
  call(Nr::clock_getres, 1, spec);
  call(Nr::gettimeofday, spec, nullptr);
  const long brief[2] = {0, 5};
  call(Nr::nanosleep, brief, nullptr);
  call(Nr::clock_nanosleep, 1, 0, brief, nullptr);
  const long alarm[4] = {0, 0, 1000, 0};
  call(Nr::setitimer, 1, alarm, spec);
  call(Nr::getitimer, 1, spec);
  int timer = 0;
  call(Nr::timer_create, 1, nullptr, &timer);
  call(Nr::timer_settime, timer, 0, alarm, spec);
  call(Nr::timer_gettime, timer, spec);
  call(Nr::timer_getoverrun, timer);
  call(Nr::timer_delete, timer);
  call(Nr::getrandom, buffer, 8, 1);
  call(Nr::getcpu, buffer, buffer + 4, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--left-out") {
    for (const LeftOut& one : kLeftOut)
      std::printf("%s: %s\n", find_syscall(one.nr)->name.data(), one.reason);
    return 0;
  }
  char directory[] = "/tmp/rehearse-every-XXXXXX";
  if (::mkdtemp(directory) == nullptr || ::chdir(directory) != 0) return 1;
  call(Nr::close, kMarker);
  make_failing(false);
  make_failing(true);
  use_files();
  use_descriptors();
  use_sockets();
  use_memory();
  use_processes();
  use_times();
  call(Nr::close, kMarker);
  return 0;
}
