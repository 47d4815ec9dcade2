#include "trace/attempt_kind.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;
using syscalls::Privilege;

constexpr std::uint64_t kNewTimeNamespace = 0x80;  // CLONE_NEWTIME
constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                         CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | kNewTimeNamespace;
constexpr std::uint64_t kInt = 0xffffffff;

template <class... Numbers>
constexpr bool is_one_of(std::uint32_t nr, Numbers... numbers) {
  return ((nr == numbers) || ...);
}

int error_of(const TraceEvent& event) {
  return event.failed() ? static_cast<int>(-event.result()) : 0;
}

bool is_refused(const TraceEvent& event) {
  const int error = error_of(event);
  return error == EPERM || error == EACCES || error == EROFS;
}

/// On a host, file permissions would not have stopped the caller.
bool is_administrator(const TraceEvent& event) {
  return (event.process->creds.effective >> CAP_DAC_OVERRIDE & 1U) != 0;
}

bool is_number(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

/// "1" and "ns/mnt" of "/proc/1/ns/mnt"; nothing if it is not of a process.
struct OfProcess {
  std::string_view who;
  std::string_view what;
};
OfProcess of_process(std::string_view path) {
  if (!is_within(path, "/proc") || path.size() < 7) return {};
  path.remove_prefix(6);
  const std::size_t slash = path.find('/');
  const std::string_view who = path.substr(0, slash);
  if (slash == std::string_view::npos || (who != "self" && who != "thread-self" && !is_number(who)))
    return {};
  return {who, path.substr(slash + 1)};
}

bool is_probe(std::string_view path) {
  if (path == "/.dockerenv" || path == "/run/.containerenv" || path == "/run/systemd/container") return true;
  const OfProcess of = of_process(path);
  if (of.who == "1" && (of.what == "environ" || of.what == "cgroup" || of.what == "sched")) return true;
  return of.what == "uid_map" || of.what == "gid_map" || of.what.starts_with("ns/");
}

/// What only shows another process: inside there is but one that is not the action's own, the run's init. Its
/// memory and what lies below its root are not among these.
bool shows_process(std::string_view path) {
  constexpr std::string_view kShown[] = {"auxv",      "environ", "fd",           "fdinfo",
                                         "io",        "limits",  "maps",         "map_files",
                                         "numa_maps", "smaps",   "smaps_rollup", "timers"};
  const OfProcess of = of_process(path);
  return of.who == "1" && std::ranges::find(kShown, of.what) != std::end(kShown);
}

/// What root of a host reads there, and changes nothing by that.
bool only_shows(std::string_view path) {
  return shows_process(path) || is_within(path, "/proc/sys");
}

/// A name in /dev that would be a device on a host.
bool is_device(std::string_view path) {
  if (!is_within(path, "/dev") || path == "/dev") return false;
  const auto below = [&](std::string_view directory) { return is_within(path, directory); };
  return !below("/dev/shm") && !below("/dev/mqueue") && !below("/dev/pts") && !below("/dev/fd") &&
         path != "/dev/stdin" && path != "/dev/stdout" && path != "/dev/stderr" && path != "/dev/tty" &&
         path != "/dev/log";
}

std::string_view kind_of_place(std::string_view path) {
  if (is_within(path, "/proc/sys")) return "sysctl";
  if (const OfProcess of = of_process(path); !of.who.empty())
    return of.what.starts_with("ns/") ? "namespace" : "ptrace";
  if (is_within(path, "/proc") || is_within(path, "/sys")) return "kernel";
  return is_device(path) ? "raw device" : "file";
}

/// What the call names, or works on.
std::string place_of(const TraceEvent& event, const EventStream& events, const syscalls::Syscall& call) {
  if (const auto path = call.find(syscalls::Arg::kPath)) return events.place(event, *path);
  return events.place(event);
}

std::string_view of_open(const TraceEvent& event, const EventStream& events, const syscalls::Syscall& call) {
  const auto flags = open_flags(*event.record, event.entry);
  const bool writes = flags && opens_for_writing(*flags);
  // By the kernel's path where it was opened, whatever way led there; else by what was asked for.
  const bool opened = !event.failed() && event.fd != nullptr;
  const std::string path = opened ? events.place(event) : place_of(event, events, call);
  if (writes && is_within(path, "/proc/sys")) return "sysctl";
  const int error = error_of(event);
  if (is_device(path)) {
    if (flags && !writes && !opened && path == "/dev/kmsg") return "look";
    if (flags && !writes && !opened && path == "/dev/mem") return "physical memory";
    // A file in the place of a device is made by who would have written to the device.
    const bool file = opened && event.fd->known_file && S_ISREG(event.fd->file.mode);
    if ((file && writes) || error == ENOENT || error == ENXIO || error == ENODEV) return "raw device";
  }
  if (is_refused(event) && is_administrator(event))
    return flags && !writes && only_shows(path) ? "look" : kind_of_place(path);
  return is_probe(path) ? "probe" : "";
}

/// A signal to everybody, to init, or to one that is not there.
std::string_view of_signal(const TraceEvent& event, const EventStream& events) {
  const Record& record = *event.record;
  const std::uint32_t nr = record.head().nr;
  const bool to_thread = nr == Nr::tgkill || nr == Nr::rt_tgsigqueueinfo;
  const auto target = static_cast<std::int32_t>(record.argument(0));
  if ((record.argument(to_thread ? 2 : 1) & kInt) == 0) return "";  // only asks
  if (target == -1 || target == 1 || error_of(event) == EPERM) return "kill";
  if (error_of(event) != ESRCH || target <= 0) return "";
  return events.tree().was_inside(static_cast<std::uint32_t>(target)) ? "" : "kill";
}

std::string_view of_ioctl(const TraceEvent& event) {
  const std::uint64_t request = event.record->argument(1) & kInt;
  if (request == TIOCSTI || request == TIOCLINUX || request == TIOCSETD || request == TIOCCONS)
    return "terminal";
  if (is_refused(event) && (request >> 8U & 0xffU) == NSIO) return "look";  // ioctl_ns(2): it only asks
  if (request == FIFREEZE || request == FITHAW || request == FITRIM) return "filesystem";
  return is_refused(event) && is_administrator(event) ? "device control" : "";
}

std::string_view of_socket(const TraceEvent& event) {
  const std::uint64_t family = event.record->argument(0) & kInt;
  const int error = error_of(event);
  if (error == EPERM || error == EACCES) return "socket";
  const bool common = family == AF_UNIX || family == AF_INET || family == AF_INET6;
  const bool lists_sockets = family == AF_NETLINK && (event.record->argument(2) & kInt) == NETLINK_SOCK_DIAG;
  if (error == EPROTONOSUPPORT) return lists_sockets ? "look" : "socket";
  return error == EAFNOSUPPORT && !common ? "socket" : "";
}

/// Reading the log leaves it as it is, unless it is read to be removed (syslog(2)).
bool reads_kernel_log(const TraceEvent& event) {
  constexpr std::uint64_t kReadAll = 3, kSizeUnread = 9, kSizeBuffer = 10;
  const std::uint64_t action = event.record->argument(0) & kInt;
  return event.record->head().nr == Nr::syslog &&
         (action == kReadAll || action == kSizeUnread || action == kSizeBuffer);
}

/// A limit whose change the filter only pretends to make.
bool is_faked(const TraceEvent& event) {
  const Record& record = *event.record;
  const std::uint32_t nr = record.head().nr;
  if (event.result() != 0) return false;
  if (nr == Nr::setrlimit) return (record.argument(0) & kInt) == RLIMIT_CORE;
  return nr == Nr::prlimit64 && (record.argument(1) & kInt) == RLIMIT_CORE && record.argument(2) != 0;
}

bool makes_namespace(const TraceEvent& event) {
  const std::uint32_t nr = event.record->head().nr;
  // clone3 is not there inside: libraries fall back to clone.
  if (nr == Nr::clone3) return false;
  // A clone is told by its maker; that it returns to the child too says nothing new.
  if (nr == Nr::clone && event.result() == 0) return false;
  if (nr != Nr::clone && nr != Nr::unshare) return true;
  return (event.record->argument(0) & kNewNamespaces) != 0;
}

bool makes_device(const TraceEvent& event) {
  const std::uint64_t mode = event.record->argument(event.record->head().nr == Nr::mknodat ? 2 : 1) & S_IFMT;
  return mode == S_IFCHR || mode == S_IFBLK;
}

/// A call that the table has in no class of privilege.
std::string_view of_common_call(const TraceEvent& event, const EventStream& events,
                                const syscalls::Syscall& call) {
  const auto refused = [&] { return is_refused(event) && is_administrator(event); };
  switch (call.nr) {
    case Nr::open:
    case Nr::openat:
    case Nr::openat2:
    case Nr::creat:
      return of_open(event, events, call);
    case Nr::readlink:
    case Nr::readlinkat:
      return is_probe(place_of(event, events, call)) ? "probe" : "";
    case Nr::write:
    case Nr::pwrite64:
    case Nr::writev: {
      if (event.fd == nullptr || !refused()) return "";
      const std::string_view kind = kind_of_place(events.place(event));
      return kind == "file" ? "" : kind;
    }
    case Nr::kill:
    case Nr::tkill:
    case Nr::tgkill:
    case Nr::rt_sigqueueinfo:
    case Nr::rt_tgsigqueueinfo:
      return of_signal(event, events);
    case Nr::ioctl:
      return of_ioctl(event);
    case Nr::socket:
    case Nr::socketpair:
      return of_socket(event);
    case Nr::seccomp:
      return (event.record->argument(1) & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0 ? "filter listener" : "";
    case Nr::prctl:
    case Nr::personality:
    case Nr::modify_ldt:
      return refused() ? "process" : "";
    case Nr::setsockopt:
      return refused() ? "socket" : "";
    default:
      return changes_file(call.nr) && refused() ? kind_of_place(place_of(event, events, call)) : "";
  }
}

std::string_view of_call(const TraceEvent& event, const EventStream& events) {
  if (event.record->head().abi != 0) return "call convention";
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  if (call == nullptr || event.unfinished) return "";
  const std::string_view word = syscalls::to_string(call->privilege);
  switch (call->privilege) {
    case Privilege::kNone:
      return of_common_call(event, events, *call);
    case Privilege::kIds:
    case Privilege::kLimits:
    case Privilege::kScheduling:
      // They concern the caller itself, unless a host would have let it.
      return is_faked(event) || (is_refused(event) && is_administrator(event)) ? word : "";
    case Privilege::kNamespace:
      return makes_namespace(event) ? word : "";
    case Privilege::kRawDevice:
      return makes_device(event) ? word : "";
    default:
      return reads_kernel_log(event) ? "look" : word;
  }
}

}  // namespace

bool changes_file(std::uint32_t nr) {
  return is_one_of(nr, Nr::truncate, Nr::rename, Nr::renameat, Nr::renameat2, Nr::mkdir, Nr::mkdirat,
                   Nr::rmdir, Nr::link, Nr::linkat, Nr::unlink, Nr::unlinkat, Nr::symlink, Nr::symlinkat,
                   Nr::chmod, Nr::fchmod, Nr::fchmodat, Nr::fchmodat2, Nr::chown, Nr::fchown, Nr::lchown,
                   Nr::fchownat, Nr::mknod, Nr::mknodat, Nr::utime, Nr::utimes, Nr::futimesat, Nr::utimensat,
                   Nr::setxattr, Nr::lsetxattr, Nr::fsetxattr, Nr::setxattrat, Nr::removexattr,
                   Nr::lremovexattr, Nr::fremovexattr, Nr::removexattrat, Nr::file_setattr);
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDenied:
      return "denied";
    case Outcome::kFaked:
      return "faked";
    case Outcome::kContained:
      return "contained";
  }
  return "";
}

std::string_view attempt_kind(const TraceEvent& event, const EventStream& events) {
  if (event.type == EventType::kUring) return "io_uring";
  if (event.type == EventType::kModule) return "module autoload";
  return event.type == EventType::kCall ? of_call(event, events) : "";
}

Outcome outcome_of(const TraceEvent& event) {
  if (event.type == EventType::kModule) return Outcome::kDenied;
  if (event.type != EventType::kCall) return Outcome::kContained;
  // A caller that the filter kills is told nothing: its registers are as they were.
  const struct rh_head& head = event.record->head();
  const bool killed = head.abi != 0 && event.result() == static_cast<std::int64_t>(head.nr);
  if (killed || event.failed()) return Outcome::kDenied;
  return is_faked(event) ? Outcome::kFaked : Outcome::kContained;
}

}  // namespace rehearse::trace
