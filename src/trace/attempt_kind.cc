#include "trace/attempt_kind.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "syscalls/nr_set.h"
#include "trace/device_names.h"
#include "trace/file_change.h"
#include "trace/foreign_process.h"
#include "trace/network_attempt.h"
#include "trace/network_configuration.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;
using syscalls::Privilege;

constexpr std::uint64_t kNewTimeNamespace = 0x80;  // CLONE_NEWTIME
constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                         CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | kNewTimeNamespace;
constexpr std::uint64_t kInt = 0xffffffff;
constexpr std::string_view kNetwork = "network configuration";

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
  // What the firmware says of the machine, serial numbers included: dmidecode, lscpu.
  constexpr std::string_view kFirmware[] = {"/sys/firmware", "/sys/class/dmi", "/sys/devices/virtual/dmi"};
  return shows_process(path) || is_within(path, "/proc/sys") ||
         std::ranges::any_of(kFirmware, [&](std::string_view top) { return is_within(path, top); });
}

/// Where a word halts, restarts or suspends the host, or takes a processor, memory or a device from under it.
/// "" of other places.
std::string_view kind_of_switch(std::string_view path) {
  if (path == "/proc/sysrq-trigger" || path == "/sys/power/state") return "power";
  if (!is_within(path, "/sys")) return "";
  const std::size_t slash = path.rfind('/');
  const std::string_view name = path.substr(slash + 1);
  const std::string_view directory = path.substr(0, slash);
  const bool has_state =
      directory.ends_with("/device") || directory.find("/system/memory/") != std::string_view::npos;
  constexpr std::string_view kSwitches[] = {"delete", "offline", "online", "remove", "unbind"};
  const bool is_switch = std::ranges::find(kSwitches, name) != std::end(kSwitches);
  return is_switch || (name == "state" && has_state) ? "hardware" : "";
}

std::string_view kind_of_place(std::string_view path) {
  if (is_within(path, "/proc/sys")) return "sysctl";
  if (const OfProcess of = of_process(path); !of.who.empty()) {
    if (of.what == "oom_score_adj" || of.what == "oom_adj") return "process";
    return of.what.starts_with("ns/") ? "namespace" : "ptrace";
  }
  if (is_within(path, "/proc") || is_within(path, "/sys")) return "kernel";
  return is_device(path) ? device_kind(path) : "file";
}

/// What the call names, or works on.
std::string place_of(const TraceEvent& event, const EventStream& events, const syscalls::Syscall& call) {
  if (const auto path = call.find(syscalls::Arg::kPath)) return events.place(event, *path);
  return events.place(event);
}

/// Where a name leads by the action's own symlinks, at its end too.
std::string led_by(const HostPaths* paths, const std::string& place) {
  return paths == nullptr || place.empty() ? place : paths->leads_to(place);
}

/// The same of a name that is itself meant, whatever it stands for.
std::string lies_at(const HostPaths* paths, const std::string& place) {
  const std::size_t slash = place.rfind('/');
  if (paths == nullptr || slash == std::string::npos || slash == 0) return place;
  return paths->leads_to(place.substr(0, slash)) + place.substr(slash);
}

/// Renames, removes or makes the name.
bool is_about_name(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(
      Nr::rename, Nr::renameat, Nr::renameat2, Nr::unlink, Nr::unlinkat, Nr::rmdir, Nr::link, Nr::linkat,
      Nr::symlink, Nr::symlinkat, Nr::mkdir, Nr::mkdirat, Nr::mknod, Nr::mknodat, Nr::lchown, Nr::bind);
  return kCalls.contains(nr);
}

/// No reader inside has it open, or the caller waited for one: on a host there may be one.
bool is_pipe_without_reader(const TraceEvent& event, const EventStream& events, const std::string& path) {
  constexpr int kRestarted = 512, kRestartedNever = 513;  // ERESTARTSYS and ERESTARTNOINTR: inside the kernel
  const int error = error_of(event);
  const bool waited = event.unfinished || error == EINTR || error == kRestarted || error == kRestartedNever;
  if (!waited && error != ENXIO) return false;
  return !is_within(path, "/dev") && !is_within(path, "/proc") && !events.made_pipe(path);
}

/// Whoever reads from a pipe of the host would have heard it.
bool is_foreign_pipe(const FdInfo& opened) {
  return opened.known_file && S_ISFIFO(opened.file.mode) && (opened.file.flags & RH_ON_OVERLAY) != 0 &&
         (opened.file.flags & RH_UPPER) == 0;
}

/// A way to the kernel that is not there inside, and may be on a host.
bool is_absent_in_proc(const TraceEvent& event, std::string_view path) {
  const int error = error_of(event);
  return (error == ENOENT || error == ENXIO || error == ENODEV) && is_within(path, "/proc") &&
         of_process(path).who.empty() && !process_number(path);
}

std::string_view of_device(const TraceEvent& event, std::string_view path, std::uint64_t flags) {
  const bool opened = !event.failed() && event.fd != nullptr;
  const int error = error_of(event);
  const bool writes = opens_for_writing(flags);
  if ((flags & O_DIRECTORY) != 0 && !writes) return opened ? "" : "look";
  if (!writes && !opened && path == "/dev/kmsg") return "look";
  if (!writes && !opened && path == "/dev/mem") return "physical memory";
  // A file in the place of a device is made by who would have written to the device.
  const bool file = opened && event.fd->known_file && S_ISREG(event.fd->file.mode);
  const bool absent = error == ENOENT || error == ENXIO || error == ENODEV;
  return (file && writes) || absent ? device_kind(path) : "";
}

std::string_view of_open(const TraceEvent& event, const EventStream& events, const HostPaths* paths,
                         const syscalls::Syscall& call) {
  const auto flags = open_flags(*event.record, event.entry);
  const bool writes = flags && opens_for_writing(*flags);
  // By the kernel's path where it was opened, whatever way led there; else by what was asked for.
  const bool opened = !event.failed() && !event.unfinished && event.fd != nullptr;
  const std::string path = opened ? events.place(event) : led_by(paths, place_of(event, events, call));
  if (writes && (opened ? is_foreign_pipe(*event.fd) : is_pipe_without_reader(event, events, path)))
    return "pipe";
  if (event.unfinished) return "";
  if (writes && is_within(path, "/proc/sys")) return "sysctl";
  if (writes && (is_absent_in_proc(event, path) || (is_refused(event) && is_administrator(event)))) {
    if (const auto kind = kind_of_switch(path); !kind.empty()) return kind;
  }
  if (writes && is_absent_in_proc(event, path)) return "kernel";
  if (is_device(path)) {
    if (const auto kind = of_device(event, path, flags.value_or(O_RDONLY)); !kind.empty()) return kind;
  }
  if (acts_on_foreign_process(event, events)) return "host process";
  if (is_refused(event) && is_administrator(event))
    return flags && !writes && only_shows(path) ? "look" : kind_of_place(path);
  return is_probe(path) ? "probe" : "";
}

/// A mark for overlayfs in the place of what is moved: a layer makes none, the host's filesystems do.
bool leaves_whiteout(const TraceEvent& event) {
  const Record& record = *event.record;
  if (record.head().nr != Nr::renameat2 || error_of(event) != EINVAL) return false;
  return (record.argument(4) & (RENAME_WHITEOUT | RENAME_EXCHANGE)) == RENAME_WHITEOUT;
}

/// A change to what a name in /dev stands for, also where there is nothing inside.
std::string_view of_change(const TraceEvent& event, const EventStream& events, const HostPaths* paths,
                           const syscalls::Syscall& call) {
  if (!changes_file(call.nr) && call.nr != Nr::bind) return "";
  const bool refused = is_refused(event) && is_administrator(event);
  if (call.nr != Nr::bind && (refused || leaves_whiteout(event)))
    return kind_of_place(place_of(event, events, call));
  const int error = error_of(event);
  constexpr int kTold[] = {0, ENOENT, EBUSY, EXDEV};
  if (changes_times(call.nr) || std::ranges::find(kTold, error) == std::end(kTold)) return "";
  for (const std::string& named : changed_places(event, events)) {
    const std::string place = is_about_name(call.nr) ? lies_at(paths, named) : led_by(paths, named);
    if (is_device(place)) return device_kind(place);
  }
  return "";
}

/// Objects of System V that are not there inside. Those of its own it may remove and change as it likes.
bool controls_foreign_ipc(const TraceEvent& event) {
  constexpr std::uint64_t kOld = 0x100;  // IPC_64
  const Record& record = *event.record;
  const std::uint64_t command = record.argument(record.head().nr == Nr::semctl ? 2 : 1) & kInt & ~kOld;
  const bool sets_value = record.head().nr == Nr::semctl && (command == SETVAL || command == SETALL);
  const int error = error_of(event);
  return (command == IPC_RMID || command == IPC_SET || sets_value) &&
         (error == EINVAL || error == EIDRM || is_refused(event));
}

/// A POSIX message queue that is not there inside.
bool opens_foreign_queue(const TraceEvent& event) {
  const std::uint64_t flags = event.record->argument(1);
  return error_of(event) == ENOENT && (flags & O_CREAT) == 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/// By the file that it executes.
bool is_program(const TraceEvent& event, std::string_view name) {
  const Image* image = ProcessTree::image_of(*event.process);
  return image != nullptr && std::string_view(image->path).substr(image->path.rfind('/') + 1) == name;
}

/// Asks what is there.
bool asks_for_file(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(Nr::stat, Nr::lstat, Nr::newfstatat, Nr::statx, Nr::access,
                                          Nr::faccessat, Nr::faccessat2);
  return kCalls.contains(nr);
}

/// A signal to everybody, to init, or to one that is not there.
std::string_view of_signal(const TraceEvent& event, const EventStream& events) {
  const Record& record = *event.record;
  const std::uint32_t nr = record.head().nr;
  const bool to_thread = nr == Nr::tgkill || nr == Nr::rt_tgsigqueueinfo;
  const auto target = static_cast<std::int32_t>(record.argument(0));
  if ((record.argument(to_thread ? 2 : 1) & kInt) == 0) return "";  // only asks
  if (target == -1 || target == 1 || error_of(event) == EPERM) return "kill";
  // Without what it is to say it is refused before anybody is looked for.
  const bool says_nothing =
      (nr == Nr::rt_sigqueueinfo || nr == Nr::rt_tgsigqueueinfo) && error_of(event) == EFAULT;
  if ((error_of(event) != ESRCH && !says_nothing) || target == 0) return "";
  // A negative one is a group, by the number of its leader.
  const auto number = static_cast<std::uint32_t>(target);
  return events.tree().was_inside(target < 0 ? 0U - number : number) ? "" : "kill";
}

/// The same by a descriptor.
std::string_view of_signal_by_descriptor(const TraceEvent& event) {
  if ((event.record->argument(1) & kInt) == 0) return "";
  const bool to_init = event.fd != nullptr && event.fd->process == 1U;
  return to_init || error_of(event) == EPERM ? "kill" : "";
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
  if (is_refused_echo_socket(*event.record)) return "";
  if (error == EPERM || error == EACCES) return "socket";
  const bool common = family == AF_UNIX || family == AF_INET || family == AF_INET6;
  const bool lists_sockets = family == AF_NETLINK && (event.record->argument(2) & kInt) == NETLINK_SOCK_DIAG;
  // It hears what comes for others, and needs no port that anybody could see.
  const auto type =
      event.record->argument(1) & kInt & ~static_cast<std::uint64_t>(SOCK_NONBLOCK | SOCK_CLOEXEC);
  const bool hears_all =
      family == AF_PACKET || ((family == AF_INET || family == AF_INET6) && type == SOCK_RAW);
  if (error == 0 && hears_all) return "packets";
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

/// Of a process that is not the run's init, which stands for others.
bool is_own_number(std::optional<std::uint32_t> number, const EventStream& events) {
  constexpr std::uint32_t kInit = 1;
  return number && *number != kInit && events.tree().was_inside(*number);
}

/// Looks into processes of the action's own, as anybody may, and was not refused.
bool traces_own(const TraceEvent& event, const EventStream& events) {
  if (is_refused(event)) return false;
  const Record& record = *event.record;
  switch (record.head().nr) {
    case Nr::ptrace: {
      if ((record.argument(0) & kInt) != PTRACE_TRACEME) break;
      const auto& all = events.tree().processes();
      const std::uint32_t parent = event.process->parent;  // who would trace it
      return parent < all.size() && is_own_number(all[parent].inner_pid, events);
    }
    case Nr::kcmp:
      return is_own_number(static_cast<std::uint32_t>(record.argument(0)), events) &&
             is_own_number(static_cast<std::uint32_t>(record.argument(1)), events);
    case Nr::pidfd_getfd:
    case Nr::process_madvise:
      return event.fd != nullptr && is_own_number(event.fd->process, events);
    default:
      break;
  }
  return is_own_number(named_process(event, events), events);
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

/// A device by its numbers, and by what its name would stand for; "" if it is none.
std::string_view of_made_device(const TraceEvent& event, const EventStream& events) {
  const Record& record = *event.record;
  const unsigned at = record.head().nr == Nr::mknodat ? 2 : 1;
  const std::uint64_t mode = record.argument(at) & S_IFMT;
  if (mode != S_IFCHR && mode != S_IFBLK) return "";
  constexpr std::string_view kRaw = "raw device";
  for (const std::string& place : changed_places(event, events))
    if (is_device(place) && device_kind(place) == kRaw) return kRaw;
  // As mknod(2) takes them.
  const auto device = static_cast<std::uint32_t>(record.argument(at + 1));
  return device_kind(mode == S_IFBLK, device >> 8U & 0xfffU, (device & 0xffU) | (device >> 12U & 0xfff00U));
}

/// Asks for the namespaces of another process: who is refused does not go on to what it came for.
std::string_view of_question(const TraceEvent& event, const EventStream& events,
                             const syscalls::Syscall& call) {
  if (!is_refused(event) || !is_administrator(event)) return "";
  if (!of_process(place_of(event, events, call)).what.starts_with("ns/")) return "";
  return is_program(event, "lsns") ? "look" : "namespace";
}

/// A socket's buffers beyond the limit of all: libsystemd and others try it at each connection, and go on
/// with less.
bool is_buffer_size(const TraceEvent& event) {
  const std::uint64_t name = event.record->argument(2);
  return event.record->argument(1) == SOL_SOCKET && (name == SO_RCVBUFFORCE || name == SO_SNDBUFFORCE);
}

/// A call that the table has in no class of privilege.
std::string_view of_common_call(const TraceEvent& event, const EventStream& events, const HostPaths* paths,
                                const syscalls::Syscall& call) {
  const auto refused = [&] { return is_refused(event) && is_administrator(event); };
  switch (call.nr) {
    case Nr::open:
    case Nr::openat:
    case Nr::openat2:
    case Nr::creat:
      return of_open(event, events, paths, call);
    case Nr::readlink:
    case Nr::readlinkat:
      return is_probe(place_of(event, events, call)) ? "probe" : "";
    case Nr::write:
    case Nr::pwrite64:
    case Nr::writev: {
      if (configures_network(event)) return kNetwork;
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
    case Nr::pidfd_send_signal:
      return of_signal_by_descriptor(event);
    case Nr::sched_setaffinity:
    case Nr::sched_getaffinity:
    case Nr::sched_getscheduler:
    case Nr::sched_getparam:
    case Nr::sched_getattr:
    case Nr::getpriority:
    case Nr::ioprio_get:
    case Nr::pidfd_open:
    case Nr::move_pages:
    case Nr::migrate_pages:
    case Nr::get_robust_list:
      return acts_on_foreign_process(event, events) ? "host process" : "";
    case Nr::shmctl:
    case Nr::semctl:
    case Nr::msgctl:
      return controls_foreign_ipc(event) ? "ipc" : "";
    case Nr::mq_open:
      return opens_foreign_queue(event) ? "ipc" : "";
    case Nr::mq_unlink:
      return error_of(event) == ENOENT ? "ipc" : "";
    case Nr::sendto:
    case Nr::sendmsg:
    case Nr::sendmmsg:
    case Nr::sendfile:
      return configures_network(event) ? kNetwork : "";
    case Nr::ioctl:
      return configures_network(event) ? kNetwork : of_ioctl(event);
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
      if (configures_network(event)) return kNetwork;
      if (!refused()) return "";
      return is_buffer_size(event) ? syscalls::to_string(Privilege::kLimits) : "socket";
    default:
      if (asks_for_file(call.nr)) return of_question(event, events, call);
      return of_change(event, events, paths, call);
  }
}

std::string_view of_call(const TraceEvent& event, const EventStream& events, const HostPaths* paths) {
  if (event.record->head().abi != 0) return "call convention";
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  if (call == nullptr) return "";
  // Of what never returned only that is known which waits: for a reader.
  if (event.unfinished)
    return open_flags(*event.record, event.entry) ? of_open(event, events, paths, *call) : "";
  const auto word = [&] { return syscalls::to_string(call->privilege); };
  switch (call->privilege) {
    case Privilege::kNone:
      return of_common_call(event, events, paths, *call);
    case Privilege::kIds:
    case Privilege::kLimits:
    case Privilege::kScheduling:
      if (acts_on_foreign_process(event, events)) return "host process";
      // They concern the caller itself, unless a host would have let it.
      return is_faked(event) || (is_refused(event) && is_administrator(event)) ? word() : "";
    case Privilege::kPtrace:
      return traces_own(event, events) ? "" : word();
    case Privilege::kNamespace:
      return makes_namespace(event) ? word() : "";
    case Privilege::kRawDevice:
      if (const auto kind = of_made_device(event, events); !kind.empty()) return kind;
      return of_change(event, events, paths, *call);
    default:
      return reads_kernel_log(event) ? "look" : word();
  }
}

}  // namespace

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

std::string_view attempt_kind(const TraceEvent& event, const EventStream& events, const HostPaths* paths) {
  if (event.type == EventType::kUring) return "io_uring";
  if (event.type == EventType::kModule) return "module autoload";
  return event.type == EventType::kCall ? of_call(event, events, paths) : "";
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
