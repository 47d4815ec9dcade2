// PID 1 of a sandbox: a freestanding program of one or two pages, executed from an unreadable sealed memfd.
//
// It is executed as root of the user namespace, which may not read the image: the kernel then ties its memory
// to the initial user namespace (would_dump, fs/exec.c), so that nothing inside can trace it or read or write
// its memory, and what it reports about the action can be believed. It starts the action, reaps everything,
// and ends when the supervisor says so or goes away.

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/signalfd.h>
#include <linux/sockios.h>
#include <linux/time_types.h>
#include <linux/types.h>

#include "sandbox/init/protocol.h"
#include "sandbox/init/raw.h"

extern "C" void* memset(void* to, int value, std::size_t size) {
  auto* bytes = static_cast<volatile char*>(to);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(value);
  return to;
}
extern "C" void* memcpy(void* to, const void* from, std::size_t size) {
  auto* out = static_cast<volatile char*>(to);
  const auto* in = static_cast<const char*>(from);
  for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
  return to;
}

namespace {

using namespace rehearse::sandbox;
using raw::call;

// Kernel ABI that only libc headers define.
constexpr long kSigchld = 17;
constexpr int kNsig = 64;
constexpr long kMsgCmsgCloexec = 0x40000000;
constexpr int kScmRights = 1;
constexpr int kSolSocket = 1;
constexpr int kAfInet = 2;
constexpr int kSockDgram = 2;
constexpr int kTiocsctty = 0x540e;
constexpr int kEintr = 4;
constexpr int kEnoent = 2;
constexpr int kEnotdir = 20;
constexpr int kEacces = 13;
constexpr int kRlimitCore = 4;
constexpr int kRlimitNofile = 7;
constexpr unsigned long kMsFlags = 1 | 2 | 4 | 8;  // MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC

struct IoVec {
  void* base;
  std::size_t size;
};
struct MsgHdr {
  void* name;
  int name_size;
  IoVec* iov;
  std::size_t iov_count;
  void* control;
  std::size_t control_size;
  unsigned flags;
};
struct CmsgHdr {
  std::size_t size;
  int level;
  int type;
};
struct PollFd {
  int fd;
  short events;
  short revents;
};
struct Rusage {
  long user_s, user_us, system_s, system_us;
  long max_rss;
  long other[13];
};
struct KernelSigaction {
  void* handler;
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};
struct Rlimit {
  unsigned long soft, hard;
};
struct IfReq {
  char name[16];
  union {
    short flags;
    char pad[24];
  };
};

InitConfig* config = nullptr;

template <class T>
T* at(std::uint32_t offset) {
  return reinterpret_cast<T*>(reinterpret_cast<char*>(config) + offset);
}

void send(const InitMessage& message) {
  while (call(SYS_write, kInitControlFd, &message, sizeof message) == -kEintr) {
  }
}

[[noreturn]] void quit(int code) {
  while (true) call(SYS_exit_group, code);
}

[[noreturn]] void fail(InitStep step, long error) {
  InitMessage message = {};
  message.event = InitEvent::kFailed;
  message.step = step;
  message.error = static_cast<std::int32_t>(error < 0 ? -error : error);
  send(message);
  quit(1);
}

void must(long result, InitStep step) {
  if (result < 0) fail(step, result);
}

/// Offsets in the (private) mapping become pointers, in place.
void relocate(std::uint32_t offset, std::uint32_t count) {
  auto* words = at<std::uint64_t>(offset);
  for (std::uint32_t i = 0; i < count; ++i) words[i] += reinterpret_cast<std::uint64_t>(config);
}

void read_config() {
  struct {
    char bytes[16];
  } head = {};
  const long n = call(SYS_pread64, kInitConfigFd, &head, sizeof head, 0);
  InitConfig first = {};
  if (n != sizeof head) fail(InitStep::kReadConfig, n < 0 ? n : kEnoent);
  memcpy(&first, &head, 8);
  if (first.magic != kInitMagic) fail(InitStep::kReadConfig, kEnoent);
  const long map = call(SYS_mmap, 0, first.size, 3 /* RW */, 2 /* MAP_PRIVATE */, kInitConfigFd, 0);
  must(map, InitStep::kReadConfig);
  config = reinterpret_cast<InitConfig*>(map);
  relocate(config->argv, config->argc);
  relocate(config->envp, config->envc);
  relocate(config->candidates, config->candidate_count);
  call(SYS_close, kInitConfigFd);
}

void raise_loopback() {
  const long fd = call(SYS_socket, kAfInet, kSockDgram, 0);
  must(fd, InitStep::kLoopback);
  IfReq request = {};
  request.name[0] = 'l';
  request.name[1] = 'o';
  must(call(SYS_ioctl, fd, SIOCGIFFLAGS, &request), InitStep::kLoopback);
  request.flags = static_cast<short>(request.flags | IFF_UP);
  must(call(SYS_ioctl, fd, SIOCSIFFLAGS, &request), InitStep::kLoopback);
  call(SYS_close, fd);
}

/// One message with `count` descriptors, which land in `fds`. Its size; negative: an errno, or
/// kNoDescriptors.
constexpr long kNoDescriptors = -1000;
constexpr std::size_t kMostDescriptors = 4;
long receive(int socket, void* buffer, std::size_t size, int* fds, std::size_t count) {
  IoVec iov = {buffer, size};
  alignas(8) char control[64];
  while (true) {
    memset(control, 0, sizeof control);
    MsgHdr header = {nullptr, 0, &iov, 1, control, sizeof control, 0};
    const long n = call(SYS_recvmsg, socket, &header, kMsgCmsgCloexec);
    if (n == -kEintr) continue;
    if (n <= 0) return n;
    CmsgHdr head = {};
    memcpy(&head, control, sizeof head);
    if (head.level != kSolSocket || head.type != kScmRights ||
        head.size != sizeof(CmsgHdr) + count * sizeof(int)) {
      return kNoDescriptors;
    }
    memcpy(fds, control + sizeof(CmsgHdr), count * sizeof(int));
    return n;
  }
}

/// Waits for kGo; the three descriptors of the action land in `fds`. Of a socket that clients inside are to
/// find PID 1 behind (as they do on the host: sd-bus looks, and takes no server that has no number in its pid
/// namespace), the peer is whoever listens on it last (unix(7), SO_PEERCRED).
void receive_go(int fds[3]) {
  InitCommand command = {};
  int got[kMostDescriptors];
  const std::size_t count = config->tools != 0 ? 4 : 3;
  const long n = receive(kInitControlFd, &command, sizeof command, got, count);
  if (n == 0 || (n < 0 && n != kNoDescriptors)) quit(0);  // the supervisor is gone: nothing has been started
  if (n != sizeof command || command != InitCommand::kGo) fail(InitStep::kReceive, kEnoent);
  memcpy(fds, got, 3 * sizeof(int));
  if (count == 3) return;
  must(call(SYS_listen, got[3], kManagerBacklog), InitStep::kReceive);
  call(SYS_close, got[3]);
}

/// The mount namespace is copied by a less privileged owner: from here on every mount in it is locked.
void lock_mounts() {
  must(call(SYS_unshare, CLONE_NEWNS | CLONE_NEWCGROUP), InitStep::kUnshare);
  if (config->mount_cgroup != 0) {
    must(call(SYS_mount, "cgroup2", "/sys/fs/cgroup", "cgroup2", kMsFlags, 0), InitStep::kMountCgroup);
  }
}

void drop_capabilities() {
  for (int capability = 0; capability < 64; ++capability) {
    if ((config->dropped_capabilities >> capability & 1U) == 0) continue;
    // EINVAL: this kernel is older than the capability.
    const long result = call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (result < 0 && result != -22) fail(InitStep::kCapabilities, result);
  }
  // The bounding set limits what an executed file gives, not what root inherits: a caller's inheritable
  // capabilities would come back with the action's execve (capabilities(7)). Ambient ones go with them.
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  must(call(SYS_capget, &header, data), InitStep::kCapabilities);
  for (auto& half : data) half.inheritable = 0;
  must(call(SYS_capset, &header, data), InitStep::kCapabilities);
}

/// A core pattern that names a program runs it on the host, even for a limit of 0; 1 is the value that stops
/// it (core(5), "Piping core dumps to a program"). The filter keeps the action from changing it.
void forbid_core_dumps() {
  const Rlimit limit = {1, 1};
  must(call(SYS_prlimit64, 0, kRlimitCore, &limit, 0), InitStep::kLimits);
}

/// The supervisor raised its own limit to hold all the mounts; the action gets what the caller had.
void restore_open_files() {
  const Rlimit limit = {config->open_files_soft, config->open_files_hard};
  must(call(SYS_prlimit64, 0, kRlimitNofile, &limit, 0), InitStep::kLimits);
}

void install_filter() {
  const struct sock_fprog program = {static_cast<unsigned short>(config->filter_count),
                                     at<struct sock_filter>(config->filter)};
  must(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), InitStep::kSeccomp);
}

/// What a process is to execute, as what, and what came in the way.
struct Start {
  int fds[3];
  InitStep step;
  long error;
  bool terminal;
  unsigned uid, gid, umask, group_count;
  const unsigned* groups;
  const char* cwd;
  const std::uint64_t* candidates;  ///< pointers to paths
  unsigned candidate_count;
  const void* argv;
  const void* envp;
};

Start action_start() {
  Start start = {};
  start.terminal = config->terminal != 0;
  start.uid = config->uid;
  start.gid = config->gid;
  start.umask = config->umask;
  start.groups = at<unsigned>(config->groups);
  start.group_count = config->group_count;
  start.cwd = at<char>(config->cwd);
  start.candidates = at<std::uint64_t>(config->candidates);
  start.candidate_count = config->candidate_count;
  start.argv = at<char>(config->argv);
  start.envp = at<char>(config->envp);
  return start;
}

/// A process of its own between fork and exec. Shares init's memory, so it leaves notes in `start`.
int start_program(void* argument) {
  auto* start = static_cast<Start*>(argument);
  const auto stop = [start](InitStep step, long error) {
    start->step = step;
    start->error = error;
    return 1;
  };
  if (const long r = call(SYS_setsid); r < 0) return stop(InitStep::kSession, r);
  if (start->terminal) {
    if (const long r = call(SYS_ioctl, start->fds[0], kTiocsctty, 0); r < 0)
      return stop(InitStep::kTerminal, r);
  }
  for (int fd = 0; fd < 3; ++fd) {
    if (const long r = call(SYS_dup3, start->fds[fd], fd, 0); r < 0) return stop(InitStep::kDescriptors, r);
  }
  if (const long r = call(SYS_close_range, 3, ~0U, 0); r < 0) return stop(InitStep::kDescriptors, r);
  const KernelSigaction standard = {};
  for (int signal = 1; signal <= kNsig; ++signal) call(SYS_rt_sigaction, signal, &standard, 0, 8);
  const unsigned long none = 0;
  call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
  call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
  call(SYS_umask, start->umask);
  if (const long r = call(SYS_setgroups, start->group_count, start->groups); r < 0) {
    return stop(InitStep::kActionIds, r);
  }
  if (const long r = call(SYS_setresgid, start->gid, start->gid, start->gid); r < 0) {
    return stop(InitStep::kActionIds, r);
  }
  if (const long r = call(SYS_setresuid, start->uid, start->uid, start->uid); r < 0) {
    return stop(InitStep::kActionIds, r);
  }
  if (const long r = call(SYS_chdir, start->cwd); r < 0) return stop(InitStep::kWorkingDirectory, r);
  // As execvp(3): go on after "not there", remember "not allowed".
  long error = -kEnoent;
  for (std::uint32_t i = 0; i < start->candidate_count; ++i) {
    const long r = call(SYS_execve, start->candidates[i], start->argv, start->envp);
    if (r == -kEnoent || r == -kEnotdir) continue;
    error = r;
    if (r != -kEacces) break;
  }
  return stop(InitStep::kExec, error);
}

long spawn(Start& start) {
  alignas(16) static char stack[16384];
  struct clone_args_v0 {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  };
  // clone(2), not clone3: the filter is installed already and refuses clone3.
  long result = 0;
  register long r10 asm("r10") = 0;
  register void* r8 asm("r8") = nullptr;
  register void* r9 asm("r9") = &start;
  char* top = stack + sizeof stack;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "call *%%rbx\n\t"
      "mov %%eax, %%edi\n\t"
      "mov $60, %%eax\n\t"
      "syscall\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone), "D"(static_cast<long>(CLONE_VM | CLONE_VFORK) | kSigchld), "S"(top), "d"(0L),
        "r"(r10), "r"(r8), "r"(r9), "b"(&start_program)
      : "rcx", "r11", "memory");
  return result;
}

// What was asked for last, until it is started: one request is read at a time.
alignas(8) char request[kMaxToolRequest];
const char* words[kMaxToolWords + 2];

/// The strings that begin at `from` of the request's `size` bytes into `words`, a null after the first
/// `first`; false unless they are `first + rest` and end with the request.
bool split_request(long size, long from, std::uint32_t first, std::uint32_t rest) {
  if (first > kMaxToolWords || rest > kMaxToolWords - first) return false;
  const char** word = words;
  std::uint32_t count = 0;
  long begin = from;
  for (long i = from; i < size; ++i) {
    if (request[i] != 0) continue;
    if (count == first + rest) return false;
    if (count++ == first && first > 0) *word++ = nullptr;
    *word++ = request + begin;
    begin = i + 1;
  }
  *word = nullptr;
  return count == first + rest && rest > 0 && begin == size;
}

void start_as_tool(Start& start) {
  static const char* const environment[] = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
      "SYSTEMCTL_SKIP_SYSV=1", nullptr};
  start.umask = 022;
  start.cwd = "/";
  start.envp = environment;
}

/// Spawns what `words` say; its process id or a negative errno.
long spawn_and_close(Start& start) {
  const long pid = spawn(start);
  for (const int fd : start.fds) call(SYS_close, fd);
  return pid;
}

/// The program of rehearse's own that runs, if one does.
struct Tool {
  long pid = 0;

  void run();
  void end(int error, int status);
};

void Tool::end(int error, int status) {
  const ToolEnd message = {error, status};
  call(SYS_write, kInitToolsFd, &message, sizeof message);
  pid = 0;
}

void Tool::run() {
  Start start = {};
  const long n = receive(kInitToolsFd, request, sizeof request, start.fds, 3);
  if (n <= 0) {
    // Nobody asks any more.
    if (n != kNoDescriptors) call(SYS_close, kInitToolsFd);
    if (n != kNoDescriptors) config->tools = 0;
    return;
  }
  ToolRequest head = {};
  memcpy(&head, request, sizeof head);
  start_as_tool(start);
  if (!split_request(n, sizeof head, 0, head.argc)) {
    for (const int fd : start.fds) call(SYS_close, fd);
    return end(kEnoent, 0);
  }
  const auto path = reinterpret_cast<std::uint64_t>(words[0]);
  start.candidates = &path;
  start.candidate_count = 1;
  start.argv = words;
  pid = spawn_and_close(start);
  if (pid < 0) return end(static_cast<int>(-pid), 0);
  // It is reaped like one that ran.
  if (start.step != InitStep::kNone) end(static_cast<int>(-start.error), 0);
}

/// The program that the supervisor has run inside when the action has ended.
struct Probe {
  long pid = 0;

  /// `size` bytes of `request`, with descriptors.
  void run(long size, const int fds[3]);
  void stop() const;
  void end(InitStep step, long error, int status);
};

void Probe::end(InitStep step, long error, int status) {
  InitMessage message = {};
  message.event = InitEvent::kProbeEnded;
  message.step = step;
  message.error = static_cast<std::int32_t>(-error);
  message.status = status;
  send(message);
  pid = 0;
}

/// It leads a session of its own, and so a process group.
void Probe::stop() const {
  if (pid <= 0) return;
  call(SYS_kill, -pid, 9);
  call(SYS_kill, pid, 9);
}

void Probe::run(long size, const int fds[3]) {
  ProbeRequest head = {};
  memcpy(&head, request, sizeof head);
  Start start = {};
  if (head.as_action != 0) {
    start = action_start();
    start.terminal = false;
  } else {
    start_as_tool(start);
  }
  memcpy(start.fds, fds, sizeof start.fds);
  if (!split_request(size, sizeof head, head.candidates, head.argc) || head.candidates == 0) {
    for (const int fd : start.fds) call(SYS_close, fd);
    return end(InitStep::kReceive, -kEnoent, 0);
  }
  start.candidates = reinterpret_cast<const std::uint64_t*>(words);
  start.candidate_count = head.candidates;
  start.argv = words + head.candidates + 1;
  pid = spawn_and_close(start);
  if (pid < 0) return end(InitStep::kFork, pid, 0);
  // It is reaped like one that ran.
  if (start.step != InitStep::kNone) return end(start.step, start.error, 0);
  InitMessage started = {};
  started.event = InitEvent::kProbeStarted;
  started.pid = static_cast<std::int32_t>(pid);
  send(started);
}

/// What the supervisor says while the action runs, and after.
void hear_supervisor(Probe& probe) {
  int fds[3];
  memset(request, 0, sizeof(InitCommand));
  const long n = receive(kInitControlFd, request, sizeof request, fds, 3);
  if (n <= 0 && n != kNoDescriptors) quit(0);
  InitCommand command = {};
  memcpy(&command, request, sizeof command);
  if (command == InitCommand::kQuit) quit(0);
  if (command == InitCommand::kStop) return probe.stop();
  if (n < static_cast<long>(sizeof(ProbeRequest)) || command != InitCommand::kProbe) return;
  if (probe.pid == 0) return probe.run(n, fds);
  for (const int fd : fds) call(SYS_close, fd);
}

/// Reaps until the supervisor says quit or is gone. Reports the ends of the action, of tools and of probes.
[[noreturn]] void reap(long action, int signals) {
  Tool tool;
  Probe probe;
  while (true) {
    while (true) {
      int status = 0;
      Rusage usage = {};
      const long pid = call(SYS_wait4, -1, &status, 1 /* WNOHANG */, &usage);
      if (pid <= 0) break;
      if (pid == tool.pid) tool.end(0, status);
      if (pid == probe.pid) probe.end(InitStep::kNone, 0, status);
      if (pid != action) continue;
      InitMessage message = {};
      message.event = InitEvent::kExited;
      message.status = status;
      message.pid = static_cast<std::int32_t>(pid);
      message.user_us = usage.user_s * 1'000'000 + usage.user_us;
      message.system_us = usage.system_s * 1'000'000 + usage.system_us;
      message.max_rss_kib = usage.max_rss;
      send(message);
    }
    const bool free = config->tools != 0 && tool.pid == 0;
    PollFd fds[3] = {{kInitControlFd, 1, 0}, {signals, 1, 0}, {free ? kInitToolsFd : -1, 1, 0}};
    // The time-out is a backstop for a lost wake-up; nothing waits for it otherwise.
    call(SYS_poll, fds, 3, 1000);
    if (fds[0].revents != 0) hear_supervisor(probe);
    if (fds[1].revents != 0) {
      char drain[sizeof(struct signalfd_siginfo)];
      call(SYS_read, signals, drain, sizeof drain);
    }
    if (fds[2].revents != 0) tool.run();
  }
}

}  // namespace

extern "C" [[noreturn]] void rehearse_init_main() {
  must(call(SYS_close_range, kInitToolsFd + 1, ~0U, 0), InitStep::kDescriptors);
  // The caller may itself have been started by something that died: a closed control socket says so.
  must(call(SYS_prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0), InitStep::kParentDeath);
  read_config();
  if (config->tools == 0) call(SYS_close, kInitToolsFd);
  must(call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), InitStep::kKeyring);
  raise_loopback();
  const unsigned long children = 1UL << (kSigchld - 1);
  call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &children, 0, 8);
  const long signals =
      call(SYS_signalfd4, -1, &children, 8, 02000000 /* SFD_CLOEXEC */ | 04000 /* SFD_NONBLOCK */);
  must(signals, InitStep::kReceive);
  InitMessage ready = {};
  ready.event = InitEvent::kReady;
  send(ready);

  Start start = action_start();
  receive_go(start.fds);
  lock_mounts();
  drop_capabilities();
  forbid_core_dumps();
  restore_open_files();
  install_filter();
  const long action = spawn(start);
  must(action, InitStep::kFork);
  if (start.step != InitStep::kNone) fail(start.step, start.error);
  for (const int fd : start.fds) call(SYS_close, fd);
  InitMessage started = {};
  started.event = InitEvent::kStarted;
  started.pid = static_cast<std::int32_t>(action);
  send(started);
  reap(action, static_cast<int>(signals));
}

asm(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall rehearse_init_main\n\thlt\n");
