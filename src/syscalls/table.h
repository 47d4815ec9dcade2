// The one table of system calls (x86-64): number, name, what the arguments are, what a call belongs to, and
// what a recorder in the kernel needs to know before it sees one. Generated from syscalls.def; constant,
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rehearse::syscalls {

/// Numbers by name: Nr::openat. Plain enumeration: the values are compared with what the kernel hands out.
struct Nr {
  enum : std::uint32_t {
#define SYSCALL(number, name, ...) name = (number),
#include "syscalls/syscalls.def"
#undef SYSCALL
  };
};

/// The highest number in the table.
inline constexpr std::uint32_t kLastSyscall = Nr::rseq_slice_yield;

/// How many arguments the kernel passes at most.
inline constexpr std::size_t kMaxArguments = 6;

/// What an argument is. "Conditional" kinds are something else for each call of a family: see variants.h.
enum class Arg : std::uint8_t {
  kNone,
  kInt,
  kUint,
  kLong,
  kUlong,
  kSize,    ///< size_t
  kOffset,  ///< of a mapping: shown in hex
  kHex,
  kPointer,
  kFd,
  kAtFd,    ///< directory of the path that follows: descriptor or AT_FDCWD
  kPath,    ///< user string that names an object, resolved against an AtFd before it if there is one
  kString,  ///< any other NUL-terminated user string
  kBuffer,  ///< bytes in or out; shown if captured, else the pointer
  kMode,
  kFileType,  ///< mknod: type and mode
  kUmask,
  kDev,
  kPid,
  kUid,
  kGid,
  kSignal,
  kIpcKey,
  kKey,  ///< a kernel key's serial number
  kIoprio,
  kSockaddrLength,  ///< pointer to the length of what the argument before it points to
  kArgv,
  kEnvp,
// Pointers to structures.
#define STRUCT(name, ...) k##name,
#include "syscalls/structs.def"
#undef STRUCT
  kFutexOp,
  kPersonality,
  kIpcFlags,
  kShmgetFlags,
  kQuotaCommand,
  kSyslogAction,
  kIoctlRequest,
  // Conditional: resolved from the arguments before them.
  kPrctlArgument,
  kKeyctlArgument,
  kPtraceAddress,
  kPtraceData,
  kFutexArgument,
  kSocketProtocol,
  kSockoptName,
  kOpenMode,
  kMremapAddress,
  kMembarrierCpu,
  kRebootArgument,
  kHighHalf,  ///< of an offset: always 0 here, never shown
  // Only as what a conditional kind turns out to be.
  kBitset,
  kEtherProtocol,  ///< in network byte order
  kInetProtocol,
  kNetlinkProtocol,
  kSocketOption,
  kIpOption,
  kIpv6Option,
  kTcpOption,
  kNetlinkOption,
  kPacketOption,
  kFdFlags,
  kSealFlags,
  kLeaseType,
  kNotifyFlags,
  kDumpable,
  kCapability,
  kCapAmbient,
  kSecurebits,
  kSeccompMode,
  kPtraceOptions,
// Kinds that are nothing but a set of names.
#define NAMED(name) k##name,
#include "syscalls/named_args.def"
#undef NAMED
};

/// What the call's result is, apart from an error.
enum class Return : std::uint8_t {
  kInt,
  kUint,
  kLong,
  kSize,
  kFd,
  kPid,
  kId,
  kPointer,  ///< or other number shown in hex
  kOctal,
  kKey,
  kReady,  ///< how many; 0 is a timeout
  kFcntl,  ///< depends on the command
  kPrctl,
  kPersonality,
  kSchedPolicy,
  kIoprio,
  kMembarrier,
  kNever,  ///< does not return
};

/// What a call belongs to, as `strace -e trace=%CLASS` users expect; a set. kBlocks is ours: the caller may
/// sleep in it for long, or never come back.
enum class Class : std::uint16_t {
  kNone = 0,
  kFile = 1U << 0U,
  kDesc = 1U << 1U,
  kProcess = 1U << 2U,
  kNetwork = 1U << 3U,
  kMemory = 1U << 4U,
  kSignal = 1U << 5U,
  kIpc = 1U << 6U,
  kTime = 1U << 7U,
  kCreds = 1U << 8U,
  kSystem = 1U << 9U,
  kBlocks = 1U << 10U,
};
constexpr Class operator|(Class a, Class b) {
  return static_cast<Class>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(Class set, Class member) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(member)) != 0;
}

/// What a reviewer lists as a privileged attempt: what it could do to a host, whether or not it was let.
enum class Privilege : std::uint8_t {
  kNone,
  kAccounting,
  kBpf,
  kClock,
  kFault,   ///< userfaultfd
  kHandle,  ///< opens files past path permissions
  kHostname,
  kIds,  ///< changes users, groups or capabilities
  kIo,   ///< I/O ports
  kKernelLog,
  kKexec,
  kKey,
  kLimits,
  kLsm,
  kModule,
  kMount,
  kNamespace,
  kPerf,
  kPtrace,  ///< reads or changes another process
  kQuota,
  kRawDevice,  ///< makes device nodes
  kReboot,
  kRoot,  ///< changes the root directory
  kScheduling,
  kSwap,
  kSysctl,
  kTerminal,
  kUring,
  kWatch,  ///< watches whole filesystems
};

struct Syscall {
  std::uint32_t nr;
  std::string_view name;
  Class classes;
  Privilege privilege;
  Return result;
  std::uint8_t count;  ///< how many arguments
  std::array<Arg, kMaxArguments> args;

  /// Indices of the NUL-terminated user strings, in order; the first `strings().size()` of at most four.
  [[nodiscard]] constexpr std::span<const std::uint8_t> strings() const {
    return std::span(string_indices).first(string_count);
  }
  /// Index of the socket address that goes in (its length: index + 1), or comes out (pointer to length: + 1).
  [[nodiscard]] constexpr std::optional<std::uint8_t> sockaddr_in() const { return find(Arg::kSockaddrIn); }
  [[nodiscard]] constexpr std::optional<std::uint8_t> sockaddr_out() const { return find(Arg::kSockaddrOut); }
  /// Record it when it is entered: what it reads may have changed or the caller may be gone when it returns.
  [[nodiscard]] constexpr bool at_entry() const {
    return string_count > 0 || sockaddr_in().has_value() || has(classes, Class::kBlocks);
  }
  [[nodiscard]] constexpr std::optional<std::uint8_t> find(Arg kind) const {
    for (std::uint8_t i = 0; i < count; ++i) {
      if (args[i] == kind) return i;
    }
    return std::nullopt;
  }

  std::uint8_t string_count = 0;
  std::array<std::uint8_t, 4> string_indices = {};
};

/// The whole table, ascending by number.
std::span<const Syscall> all_syscalls();

/// The call, or nullptr if the table does not have it. `nr` is a native number: without x32's bit 30.
const Syscall* find_syscall(std::uint32_t nr);
const Syscall* find_syscall(std::string_view name);

/// The name of a call as i386 numbers it, "" if it has none.
std::string_view i386_name(std::uint32_t nr);

/// Lower-case word for a privilege ("raw device"); "" for kNone. Words for a set of classes ("file, desc").
std::string_view to_string(Privilege privilege);
std::string_view class_name(Class one);

}  // namespace rehearse::syscalls
