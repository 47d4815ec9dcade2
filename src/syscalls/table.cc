#include "syscalls/table.h"

#include <algorithm>

namespace rehearse::syscalls {
namespace {

template <class... Args>
constexpr Syscall make(std::uint32_t nr, std::string_view name, Class classes, Privilege privilege,
                       Return result, Args... args) {
  static_assert(sizeof...(args) <= kMaxArguments);
  Syscall call = {nr, name, classes, privilege, result, sizeof...(args), {args...}};
  for (std::uint8_t i = 0; i < call.count; ++i) {
    if (call.args[i] != Arg::kPath && call.args[i] != Arg::kString) continue;
    call.string_indices.at(call.string_count++) = i;  // a fifth one does not compile
  }
  return call;
}

// Class words and argument words of syscalls.def to enumerators.
#define RH_CLASS1(a, ...) Class::k##a __VA_OPT__(| RH_CLASS2(__VA_ARGS__))
#define RH_CLASS2(a, ...) Class::k##a __VA_OPT__(| RH_CLASS3(__VA_ARGS__))
#define RH_CLASS3(a, ...) Class::k##a __VA_OPT__(| RH_CLASS4(__VA_ARGS__))
#define RH_CLASS4(a) Class::k##a
#define RH_ARG1(a, ...) , Arg::k##a __VA_OPT__(RH_ARG2(__VA_ARGS__))
#define RH_ARG2(a, ...) , Arg::k##a __VA_OPT__(RH_ARG3(__VA_ARGS__))
#define RH_ARG3(a, ...) , Arg::k##a __VA_OPT__(RH_ARG4(__VA_ARGS__))
#define RH_ARG4(a, ...) , Arg::k##a __VA_OPT__(RH_ARG5(__VA_ARGS__))
#define RH_ARG5(a, ...) , Arg::k##a __VA_OPT__(RH_ARG6(__VA_ARGS__))
#define RH_ARG6(a) , Arg::k##a

constexpr Syscall kTable[] = {
#define SYSCALL(number, name, classes, privilege, result, ...)    \
  make(number, #name, RH_CLASS1 classes, Privilege::k##privilege, \
       Return::k##result __VA_OPT__(RH_ARG1(__VA_ARGS__))),
#include "syscalls/syscalls.def"
#undef SYSCALL
};

static_assert(std::is_sorted(std::begin(kTable), std::end(kTable),
                             [](const Syscall& a, const Syscall& b) { return a.nr < b.nr; }));
static_assert(std::end(kTable)[-1].nr == kLastSyscall);

}  // namespace

std::span<const Syscall> all_syscalls() {
  return kTable;
}

const Syscall* find_syscall(std::uint32_t nr) {
  // Dense up to 336 and from 424 on; a test holds the table to it.
  constexpr std::uint32_t kLastOwn = Nr::uprobe;
  constexpr std::uint32_t kFirstCommon = Nr::pidfd_send_signal;
  if (nr <= kLastOwn) return &kTable[nr];
  if (nr < kFirstCommon || nr > kLastSyscall) return nullptr;
  return &kTable[nr - kFirstCommon + kLastOwn + 1];
}

const Syscall* find_syscall(std::string_view name) {
  const auto* found = std::find_if(std::begin(kTable), std::end(kTable),
                                   [&](const Syscall& call) { return call.name == name; });
  return found != std::end(kTable) ? found : nullptr;
}

std::string_view i386_name(std::uint32_t nr) {
  constexpr std::uint32_t kCommon = 424;
  if (nr >= kCommon) {
    const Syscall* call = find_syscall(nr);
    return call == nullptr ? std::string_view() : call->name;
  }
  switch (nr) {
#define I386(number, name) \
  case number:             \
    return #name;
#include "syscalls/i386.def"
#undef I386
    default:
      return {};
  }
}

std::string_view to_string(Privilege privilege) {
  constexpr std::string_view kNames[] = {
      "",         "accounting", "bpf",        "clock",      "userfault", "file handle",
      "hostname", "ids",        "io",         "kernel log", "kexec",     "key",
      "limits",   "lsm",        "module",     "mount",      "namespace", "perf",
      "ptrace",   "quota",      "raw device", "reboot",     "root",      "scheduling",
      "swap",     "sysctl",     "terminal",   "io_uring",   "watch"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Privilege::kWatch) + 1);
  return kNames[static_cast<std::size_t>(privilege)];
}

std::string_view class_name(Class one) {
  constexpr std::string_view kNames[] = {"file", "desc", "process", "network", "memory", "signal",
                                         "ipc",  "time", "creds",   "system",  "blocks"};
  for (unsigned bit = 0; bit < std::size(kNames); ++bit) {
    if (static_cast<unsigned>(one) == 1U << bit) return kNames[bit];
  }
  return "";
}

}  // namespace rehearse::syscalls
