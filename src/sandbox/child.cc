#include "sandbox/child.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/sys.h"
#include "sandbox/init/protocol.h"
#include "sandbox/init/raw.h"

// Children below run on this memory without being known to any sanitizer's runtime.
#define RH_POST_CLONE \
  __attribute__((no_sanitize("address", "undefined", "thread"), no_stack_protector, noinline))

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kInitNamespaces = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

RH_POST_CLONE int report(int control, InitStep step, long error) {
  InitMessage message;
  volatile char* bytes = reinterpret_cast<volatile char*>(&message);
  for (std::size_t i = 0; i < sizeof message; ++i) bytes[i] = 0;
  message.event = InitEvent::kFailed;
  message.step = step;
  message.error = static_cast<std::int32_t>(-error);
  raw::call(SYS_write, control, &message, sizeof message);
  return 1;
}

/// Joins the v1 cgroups, waits until the id maps are written, becomes root of the namespace, executes init.
RH_POST_CLONE int init_child(void* argument) {
  const auto* start = static_cast<const InitStart*>(argument);
  raw::call(SYS_close, start->control_ours);
  for (int i = 0; i < 3; ++i) {
    if (start->v1_tasks[i] < 0) continue;
    if (const long r = raw::call(SYS_write, start->v1_tasks[i], "0", 1); r < 0)
      return report(start->control, InitStep::kCgroup, r);
  }
  InitCommand command = {};
  long n = 0;
  do {
    n = raw::call(SYS_read, start->control, &command, sizeof command);
  } while (n == -EINTR);
  if (n <= 0) return 0;  // the supervisor gave up or died
  if (start->user_namespace) {
    if (const long r = raw::call(SYS_setgroups, 0, 0); r < 0)
      return report(start->control, InitStep::kSetIds, r);
    if (const long r = raw::call(SYS_setresgid, 0, 0, 0); r < 0)
      return report(start->control, InitStep::kSetIds, r);
    if (const long r = raw::call(SYS_setresuid, 0, 0, 0); r < 0)
      return report(start->control, InitStep::kSetIds, r);
  }
  // The descriptors all lie above 5: the supervisor sees to that.
  const int wanted[] = {start->control, start->config, start->tools};
  for (int i = 0; i < (start->tools >= 0 ? 3 : 2); ++i) {
    if (const long r = raw::call(SYS_dup3, wanted[i], kInitControlFd + i, 0); r < 0) {
      return report(start->control, InitStep::kDescriptors, r);
    }
  }
  const char* const argv[] = {"/sbin/init", nullptr};
  const char* const envp[] = {nullptr};
  const long r = raw::call(SYS_execveat, start->image, "", argv, envp, AT_EMPTY_PATH);
  return report(start->control, InitStep::kExecInit, r);
}

struct MountTask {
  int pidfd;
  const char* step;
  long error;
  int proc;
  int sysfs;
  int mqueue;
  std::uint32_t root;
  OwnSetting* settings;
  std::size_t count;
};

RH_POST_CLONE long mount_one(const char* type, unsigned attributes) {
  const long context = raw::call(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (context < 0) return context;
  long result = raw::call(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  if (result >= 0) result = raw::call(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  raw::call(SYS_close, context);
  return result;
}

/// Whether the setting below `proc` is what it is on the host.
RH_POST_CLONE bool is_as_on_host(int proc, const OwnSetting& setting) {
  const long fd = raw::call(SYS_openat, proc, setting.path, O_RDONLY | O_CLOEXEC);
  char read[sizeof setting.host] = {};
  const char* value = setting.unless_shown.data();
  auto size = static_cast<long>(setting.unless_shown.size());
  if (fd >= 0) {
    value = read;
    size = raw::call(SYS_read, fd, read, sizeof read);
    raw::call(SYS_close, fd);
  }
  if (size != setting.size) return false;
  for (long i = 0; i < size; ++i) {
    if (value[i] != setting.host.data()[i]) return false;
  }
  return true;
}

RH_POST_CLONE void set_as_on_host(int proc, OwnSetting& setting) {
  if (setting.size == 0 || is_as_on_host(proc, setting)) return;
  const long fd = raw::call(SYS_openat, proc, setting.path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    raw::call(SYS_write, fd, setting.host.data(), setting.size);
    raw::call(SYS_close, fd);
  }
  setting.differs = !is_as_on_host(proc, setting);
}

/// Runs in the run's pid namespace, shares the supervisor's descriptors: the mounts it makes are ours to
/// attach.
RH_POST_CLONE int mount_child(void* argument) {
  auto* task = static_cast<MountTask*>(argument);
  constexpr unsigned kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const auto fail_at = [task](const char* step, long error) {
    task->step = step;
    task->error = error;
    return 1;
  };
  if (const long r = raw::call(SYS_setns, task->pidfd, CLONE_NEWNET | CLONE_NEWIPC); r < 0)
    return fail_at("setns", r);
  long fd = mount_one("proc", kQuiet);
  if (fd < 0) return fail_at("mounting proc", fd);
  task->proc = static_cast<int>(fd);
  // Settings of an IPC namespace may be written by the root of its user namespace alone.
  if (const long r = raw::call(SYS_setresuid, -1, task->root, -1); r < 0) return fail_at("setresuid", r);
  for (std::size_t i = 0; i < task->count; ++i) {
    if (!task->settings[i].network || task->root == 0) set_as_on_host(task->proc, task->settings[i]);
  }
  if (const long r = raw::call(SYS_setresuid, -1, 0, -1); r < 0) return fail_at("setresuid", r);
  fd = mount_one("sysfs", kQuiet | MOUNT_ATTR_RDONLY);
  if (fd < 0) return fail_at("mounting sysfs", fd);
  task->sysfs = static_cast<int>(fd);
  fd = mount_one("mqueue", kQuiet);
  if (fd < 0) return fail_at("mounting mqueue", fd);
  task->mqueue = static_cast<int>(fd);
  if (task->root == 0) return 0;
  if (const long r = raw::call(SYS_setns, task->pidfd, CLONE_NEWUSER); r < 0) return fail_at("setns", r);
  for (std::size_t i = 0; i < task->count; ++i) {
    if (task->settings[i].network) set_as_on_host(task->proc, task->settings[i]);
  }
  return 0;
}

struct FreezeTask {
  int directory;
  int null;
  const char* mark;
};

/// Shares this program's memory after the program itself has ended.
RH_POST_CLONE int freeze_child(void* argument) {
  const auto* task = static_cast<const FreezeTask*>(argument);
  raw::call(SYS_setsid);
  for (int fd = 0; fd <= 2; ++fd) raw::call(SYS_dup3, task->null, fd, 0);
  if (raw::call(SYS_syncfs, task->directory) < 0) return 1;
  raw::call(SYS_openat, task->directory, task->mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  return 0;
}

alignas(16) char freeze_stack[8192];
alignas(16) char init_stack[32768];
alignas(16) char mount_stack[16384];

}  // namespace

Result<InitProcess> start_init(const InitStart& start) {
  static InitStart shared;  // the child reads it while this function has long returned
  shared = start;
  int pidfd = -1;
  struct clone_args arguments = {};
  arguments.flags = kInitNamespaces | CLONE_VM | CLONE_PIDFD;
  if (start.user_namespace) arguments.flags |= CLONE_NEWUSER;
  if (start.cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(start.cgroup);
  }
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(init_stack);
  arguments.stack_size = sizeof init_stack;
  const long pid = raw::clone_function(&arguments, sizeof arguments, init_child, &shared);
  if (pid < 0) {
    const int error = static_cast<int>(-pid);
    return fail_errno(error, "cannot create the sandbox's namespaces (clone3)", ExitCode::kUnavailable,
                      error == ENOSPC || error == EPERM
                          ? "check user.max_user_namespaces and see `rehearse doctor`"
                          : "see `rehearse doctor`");
  }
  return InitProcess{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

Result<KernelFilesystems> mount_kernel_filesystems(int init_pidfd, std::uint32_t root,
                                                   OwnSettings& settings) {
  RH_TRY(auto own, sys::open("/proc/self/ns/pid", O_RDONLY));
  RH_CHECK(sys::set_namespace(init_pidfd, CLONE_NEWPID));
  static MountTask task;
  task = MountTask{init_pidfd, nullptr, 0, -1, -1, -1, root, settings.data(), settings.size()};
  struct clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_FILES;
  arguments.stack = reinterpret_cast<std::uint64_t>(mount_stack);
  arguments.stack_size = sizeof mount_stack;
  const long pid = raw::clone_function(&arguments, sizeof arguments, mount_child, &task);
  const auto back = sys::set_namespace(own.get(), CLONE_NEWPID);
  KernelFilesystems made{UniqueFd(task.proc), UniqueFd(task.sysfs), UniqueFd(task.mqueue)};
  if (pid < 0) return fail_errno(static_cast<int>(-pid), "cannot start the mount helper");
  int status = 0;
  ::waitpid(static_cast<pid_t>(pid), &status, __WALL);
  RH_CHECK(back);
  if (task.step != nullptr)
    return fail_errno(static_cast<int>(-task.error), std::string(task.step) + " in the run's namespaces");
  if (!made.mqueue.valid()) return fail("the mount helper ended early");
  return made;
}

Result<void> start_freezer(int directory, const char* mark) {
  static FreezeTask task;
  RH_TRY(auto null, sys::open("/dev/null", O_RDWR));
  task = FreezeTask{directory, null.release(), mark};
  struct clone_args arguments = {};
  arguments.flags = CLONE_VM;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(freeze_stack);
  arguments.stack_size = sizeof freeze_stack;
  const long pid = raw::clone_function(&arguments, sizeof arguments, freeze_child, &task);
  if (pid < 0) return fail_errno(static_cast<int>(-pid), "cannot start the process that freezes the run");
  return {};
}

}  // namespace rehearse::sandbox
