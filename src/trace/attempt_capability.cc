#include "trace/attempt_capability.h"

#include <linux/prctl.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::uint64_t kInt = 0xffffffff;

/// Where the kind of the attempt says it, whatever call it was.
std::string_view of_kind(std::string_view kind) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"accounting", "CAP_SYS_PACCT"},
      {"bpf", "CAP_BPF"},
      {"clock", "CAP_SYS_TIME"},
      {"file handle", "CAP_DAC_READ_SEARCH"},
      {"filesystem", "CAP_SYS_ADMIN"},
      {"hostname", "CAP_SYS_ADMIN"},
      {"io", "CAP_SYS_RAWIO"},
      {"kernel log", "CAP_SYSLOG"},
      {"kexec", "CAP_SYS_BOOT"},
      {"kill", "CAP_KILL"},
      {"limits", "CAP_SYS_RESOURCE"},
      {"module", "CAP_SYS_MODULE"},
      {"mount", "CAP_SYS_ADMIN"},
      {"namespace", "CAP_SYS_ADMIN"},
      {"network configuration", "CAP_NET_ADMIN"},
      {"packets", "CAP_NET_RAW"},
      {"perf", "CAP_PERFMON"},
      {"physical memory", "CAP_SYS_RAWIO"},
      {"ptrace", "CAP_SYS_PTRACE"},
      {"quota", "CAP_SYS_ADMIN"},
      {"reboot", "CAP_SYS_BOOT"},
      {"root", "CAP_SYS_CHROOT"},
      {"scheduling", "CAP_SYS_NICE"},
      {"swap", "CAP_SYS_ADMIN"},
      {"userfault", "CAP_SYS_PTRACE"},
      {"watch", "CAP_SYS_ADMIN"},
  };
  const auto* found = std::ranges::find(kKinds, kind, &std::pair<std::string_view, std::string_view>::first);
  return found == std::end(kKinds) ? std::string_view() : found->second;
}

std::string_view of_prctl(std::uint64_t option) {
  switch (option) {
    case PR_SET_SECUREBITS:
    case PR_CAPBSET_DROP:
      return "CAP_SETPCAP";
    case PR_SET_MM:
      return "CAP_SYS_RESOURCE";
    default:
      return "";
  }
}

std::string_view of_socket(std::uint64_t family, std::uint64_t type) {
  constexpr std::uint64_t kTypes = 0xf;
  return family == AF_PACKET || (family != AF_NETLINK && (type & kTypes) == SOCK_RAW) ? "CAP_NET_RAW" : "";
}

/// Anybody may have a namespace of users.
bool makes_user_namespace_only(std::uint64_t flags) {
  constexpr std::uint64_t kOthers = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWPID | CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */;
  return (flags & CLONE_NEWUSER) != 0 && (flags & kOthers) == 0;
}

/// Of an extended attribute, by its name.
std::string_view of_attribute(const TraceEvent& event) {
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  const auto name = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kString);
  const auto made = event.call();
  if (!name || !made.texts[*name]) return "";
  const std::string_view text = made.texts[*name]->bytes;
  if (text == "security.capability") return "CAP_SETFCAP";
  return text.starts_with("trusted.") || text.starts_with("security.") ? "CAP_SYS_ADMIN" : "";
}

/// Of a device that is opened: those of memory and ports ask for more than their permissions do.
std::string_view of_device(const TraceEvent& event, const EventStream& events, const HostPaths* paths) {
  constexpr std::string_view kRaw[] = {"/dev/mem", "/dev/kmem", "/dev/port"};
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  const auto arg = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
  if (!arg) return "";
  std::string place = events.place(event, *arg);
  if (paths != nullptr) place = paths->leads_to(place);
  return std::ranges::find(kRaw, place) != std::end(kRaw) ? "CAP_SYS_RAWIO" : "";
}

}  // namespace

std::string_view capability_of(const TraceEvent& event, const EventStream& events, std::string_view kind,
                               const HostPaths* paths) {
  if (event.type != EventType::kCall || event.record->head().abi != 0) return "";
  const auto argument = [&](unsigned i) { return event.record->argument(i) & kInt; };
  switch (event.record->head().nr) {
    case Nr::setuid:
    case Nr::setreuid:
    case Nr::setresuid:
    case Nr::setfsuid:
      return "CAP_SETUID";
    case Nr::setgid:
    case Nr::setregid:
    case Nr::setresgid:
    case Nr::setfsgid:
    case Nr::setgroups:
      return "CAP_SETGID";
    case Nr::capset:
      return "CAP_SETPCAP";
    case Nr::mknod:
    case Nr::mknodat:
      return kind == "file" ? "" : "CAP_MKNOD";
    case Nr::open:
    case Nr::openat:
    case Nr::openat2:
    case Nr::creat:
      return kind == "raw device" ? of_device(event, events, paths) : of_kind(kind);
    case Nr::setxattr:
    case Nr::lsetxattr:
    case Nr::fsetxattr:
    case Nr::setxattrat:
    case Nr::removexattr:
    case Nr::lremovexattr:
    case Nr::fremovexattr:
    case Nr::removexattrat:
      return of_attribute(event);
    case Nr::pivot_root:
      return "CAP_SYS_ADMIN";
    case Nr::vhangup:
      return "CAP_SYS_TTY_CONFIG";
    case Nr::ioctl:
      return kind == "terminal" ? "CAP_SYS_ADMIN" : of_kind(kind);
    case Nr::syslog:
      return "CAP_SYSLOG";
    case Nr::unshare:
    case Nr::clone:
      return makes_user_namespace_only(argument(0)) ? "" : of_kind(kind);
    case Nr::prctl:
      return of_prctl(argument(0));
    case Nr::socket:
      return of_socket(argument(0), argument(1));
    case Nr::setsockopt:
      return "CAP_NET_ADMIN";
    case Nr::setpriority:
    case Nr::ioprio_set:
    case Nr::sched_setaffinity:
    case Nr::sched_setscheduler:
    case Nr::sched_setparam:
    case Nr::sched_setattr:
    case Nr::migrate_pages:
    case Nr::move_pages:
      return "CAP_SYS_NICE";
    case Nr::prlimit64:
    case Nr::setrlimit:
      return "CAP_SYS_RESOURCE";
    default:
      return of_kind(kind);
  }
}

}  // namespace rehearse::trace
