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

#include <cstring>

#include "sandbox/init/program.h"
#include "sandbox/init/raw.h"
#include "sandbox/init/requests.h"
#include "sandbox/init/supervisor_link.h"

namespace {

using namespace rehearse::sandbox;
using raw::call;

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
/// it (core(5), "Piping core dumps to a program"). The filter keeps the action from changing it. Files need
/// no more than 0, which may be all that the caller has.
void forbid_core_dumps() {
  const Rlimit limit = {1, 1};
  const Rlimit none = {0, 0};
  long done = call(SYS_prlimit64, 0, kRlimitCore, &limit, 0);
  if (done == -kEperm && config->core_is_piped == 0) done = call(SYS_prlimit64, 0, kRlimitCore, &none, 0);
  must(done, InitStep::kLimits);
}

/// The supervisor raised its own limits; the action gets what the caller had.
void restore_limits() {
  must(call(SYS_prlimit64, 0, kRlimitNofile, &config->open_files, 0), InitStep::kLimits);
  must(call(SYS_prlimit64, 0, kRlimitFsize, &config->file_size, 0), InitStep::kLimits);
}

void install_filter() {
  const struct sock_fprog program = {static_cast<unsigned short>(config->filter_count),
                                     at<struct sock_filter>(config->filter)};
  must(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), InitStep::kSeccomp);
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
      // Stopped, under a tracer that it has asked for and that nobody is: as on a host it stays so.
      if ((status & 0xff) == 0x7f) continue;
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
    // The time-out is for a tool that does not end, and a backstop for a lost wake-up.
    call(SYS_poll, fds, 3, 1000);
    tool.kill_if_late();
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
  call(SYS_prctl, PR_SET_NAME, kInitName, 0, 0, 0);
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
  restore_limits();
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
