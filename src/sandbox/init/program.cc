#include "sandbox/init/program.h"

#include <linux/prctl.h>
#include <linux/sched.h>

#include "sandbox/init/raw.h"
#include "sandbox/init/supervisor_link.h"

namespace rehearse::sandbox {

using raw::call;

Start action_start() {
  Start start = {};
  start.terminal = config->terminal != 0;
  start.uid = config->uid;
  start.gid = config->gid;
  start.umask = config->umask;
  start.ignored_signals = config->ignored_signals;
  start.groups = at<unsigned>(config->groups);
  start.group_count = config->group_count;
  start.cwd = at<char>(config->cwd);
  start.candidates = at<std::uint64_t>(config->candidates);
  start.candidate_count = config->candidate_count;
  start.argv = at<char>(config->argv);
  start.envp = at<char>(config->envp);
  start.room_for_shell = true;
  return start;
}

namespace {

/// Its first line is text, as far as it is looked at; /bin/sh would make little of a program for another
/// machine.
bool is_script(std::uint64_t path) {
  const long fd = call(SYS_open, path, kOpenQuietly, 0);
  if (fd < 0) return false;
  char head[128];
  const long n = call(SYS_read, fd, head, sizeof head);
  call(SYS_close, fd);
  // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel has filled it
  for (long i = 0; i < n && head[i] != '\n'; ++i) {
    if (head[i] == 0) return false;
  }
  return n >= 0;
}

/// execve(2); what the kernel knows no format of is given to the shell, as by execvp(3). Returns if it fails.
long execute(const Start& start, std::uint64_t path) {
  const long r = call(SYS_execve, path, start.argv, start.envp);
  if (r != -kEnoexec || !start.room_for_shell || !is_script(path)) return r;
  auto* words = static_cast<std::uint64_t*>(const_cast<void*>(start.argv));
  words[-1] = reinterpret_cast<std::uint64_t>("/bin/sh");
  words[0] = path;
  return call(SYS_execve, words[-1], words - 1, start.envp);
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
  for (int signal = 1; signal <= kNsig; ++signal) {
    KernelSigaction action = {};
    if ((start->ignored_signals >> (signal - 1) & 1U) != 0) action.handler = reinterpret_cast<void*>(kSigIgn);
    call(SYS_rt_sigaction, signal, &action, 0, 8);
  }
  const unsigned long none = 0;
  call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
  call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
  call(SYS_umask, start->umask);
  // Before it is another user: who takes a program's rights away leaves it in a directory that it could not
  // enter (setpriv, su).
  if (const long r = call(SYS_chdir, start->cwd); r < 0) return stop(InitStep::kWorkingDirectory, r);
  if (const long r = call(SYS_setgroups, start->group_count, start->groups); r < 0) {
    return stop(InitStep::kActionIds, r);
  }
  if (const long r = call(SYS_setresgid, start->gid, start->gid, start->gid); r < 0) {
    return stop(InitStep::kActionIds, r);
  }
  if (const long r = call(SYS_setresuid, start->uid, start->uid, start->uid); r < 0) {
    return stop(InitStep::kActionIds, r);
  }
  // As execvp(3): go on after "not there", remember "not allowed".
  InitStep step = InitStep::kExec;
  long error = -kEnoent;
  for (std::uint32_t i = 0; i < start->candidate_count; ++i) {
    const long r = execute(*start, start->candidates[i]);
    if (r == -kEnoent && error == -kEnoent && call(SYS_access, start->candidates[i], 0) == 0)
      step = InitStep::kInterpreter;
    if (r == -kEnoent || r == -kEnotdir) continue;
    step = InitStep::kExec;
    error = r;
    if (r != -kEacces) break;
  }
  return stop(step, error);
}

}  // namespace

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

}  // namespace rehearse::sandbox
