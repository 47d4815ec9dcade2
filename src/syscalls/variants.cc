#include "syscalls/variants.h"

#include <algorithm>
#include <array>
#include <span>

#include "syscalls/names.h"

namespace rehearse::syscalls {
namespace {

using enum Arg;

/// A command and what follows it; the rest is kNone.
struct Variant {
  std::uint32_t command;
  std::array<Arg, 4> args;
};

// Commands by number: the names are in names_file.cc, names_control.cc and names_ipc.cc.
constexpr Variant kFcntl[] = {
    {0, {kInt}},
    {1, {}},
    {2, {kFdFlags}},
    {3, {}},
    {4, {kOpenFlags}},
    {5, {kFlock}},
    {6, {kFlock}},
    {7, {kFlock}},
    {8, {kInt}},
    {9, {}},
    {10, {kSignal}},
    {11, {}},
    {15, {kOwner}},
    {16, {kPointer}},
    {17, {kPointer}},
    {36, {kFlock}},
    {37, {kFlock}},
    {38, {kFlock}},
    {1024, {kLeaseType}},
    {1025, {}},
    {1026, {kNotifyFlags}},
    {1027, {kFd}},
    {1028, {}},
    {1030, {kInt}},
    {1031, {kInt}},
    {1032, {}},
    {1033, {kSealFlags}},
    {1034, {}},
    {1035, {kPointer}},
    {1036, {kPointer}},
    {1037, {kPointer}},
    {1038, {kPointer}},
};

constexpr Variant kPrctl[] = {
    {1, {kSignal}},     // PR_SET_PDEATHSIG
    {2, {kPointer}},    // PR_GET_PDEATHSIG
    {3, {}},            // PR_GET_DUMPABLE
    {4, {kDumpable}},   // PR_SET_DUMPABLE
    {5, {kPointer}},    // PR_GET_UNALIGN
    {6, {kUlong}},      // PR_SET_UNALIGN
    {7, {}},            // PR_GET_KEEPCAPS
    {8, {kUlong}},      // PR_SET_KEEPCAPS
    {9, {kPointer}},    // PR_GET_FPEMU
    {10, {kUlong}},     // PR_SET_FPEMU
    {11, {kPointer}},   // PR_GET_FPEXC
    {12, {kUlong}},     // PR_SET_FPEXC
    {13, {}},           // PR_GET_TIMING
    {14, {kUlong}},     // PR_SET_TIMING
    {15, {kTaskName}},  // PR_SET_NAME
    {16, {kBuffer}},    // PR_GET_NAME
    {19, {kPointer}},   // PR_GET_ENDIAN
    {20, {kUlong}},     // PR_SET_ENDIAN
    {21, {}},           // PR_GET_SECCOMP
    {22, {kSeccompMode, kPointer}},
    {23, {kCapability}},               // PR_CAPBSET_READ
    {24, {kCapability}},               // PR_CAPBSET_DROP
    {25, {kPointer}},                  // PR_GET_TSC
    {26, {kUlong}},                    // PR_SET_TSC
    {27, {}},                          // PR_GET_SECUREBITS
    {28, {kSecurebits}},               // PR_SET_SECUREBITS
    {29, {kUlong}},                    // PR_SET_TIMERSLACK
    {30, {}},                          // PR_GET_TIMERSLACK
    {31, {}},                          // PR_TASK_PERF_EVENTS_DISABLE
    {32, {}},                          // PR_TASK_PERF_EVENTS_ENABLE
    {36, {kUlong}},                    // PR_SET_CHILD_SUBREAPER
    {37, {kPointer}},                  // PR_GET_CHILD_SUBREAPER
    {38, {kUlong, kHex, kHex, kHex}},  // PR_SET_NO_NEW_PRIVS
    {39, {kUlong, kHex, kHex, kHex}},  // PR_GET_NO_NEW_PRIVS
    {40, {kPointer}},                  // PR_GET_TID_ADDRESS
    {41, {kUlong, kHex, kHex, kHex}},  // PR_SET_THP_DISABLE
    {42, {kHex, kHex, kHex, kHex}},    // PR_GET_THP_DISABLE
    {45, {kHex}},                      // PR_SET_FP_MODE
    {46, {}},                          // PR_GET_FP_MODE
    {47, {kCapAmbient, kCapability, kHex, kHex}},
    {50, {kHex}},            // PR_SVE_SET_VL
    {51, {}},                // PR_SVE_GET_VL
    {52, {kUlong}},          // PR_GET_SPECULATION_CTRL
    {53, {kUlong, kUlong}},  // PR_SET_SPECULATION_CTRL
    {0x59616d61, {kPid}},    // PR_SET_PTRACER
};

constexpr Variant kKeyctl[] = {
    {0, {kKey, kInt}},                     // KEYCTL_GET_KEYRING_ID
    {1, {kBuffer}},                        // KEYCTL_JOIN_SESSION_KEYRING
    {2, {kKey, kBuffer, kSize}},           // KEYCTL_UPDATE
    {3, {kKey}},                           // KEYCTL_REVOKE
    {4, {kKey, kUid, kGid}},               // KEYCTL_CHOWN
    {5, {kKey, kHex}},                     // KEYCTL_SETPERM
    {6, {kKey, kBuffer, kSize}},           // KEYCTL_DESCRIBE
    {7, {kKey}},                           // KEYCTL_CLEAR
    {8, {kKey, kKey}},                     // KEYCTL_LINK
    {9, {kKey, kKey}},                     // KEYCTL_UNLINK
    {10, {kKey, kBuffer, kBuffer, kKey}},  // KEYCTL_SEARCH
    {11, {kKey, kBuffer, kSize}},          // KEYCTL_READ
    {12, {kKey, kBuffer, kSize, kKey}},    // KEYCTL_INSTANTIATE
    {13, {kKey, kUint, kKey}},             // KEYCTL_NEGATE
    {15, {kKey, kUint}},                   // KEYCTL_SET_TIMEOUT
    {16, {kKey}},                          // KEYCTL_ASSUME_AUTHORITY
    {17, {kKey, kBuffer, kSize}},          // KEYCTL_GET_SECURITY
    {18, {}},                              // KEYCTL_SESSION_TO_PARENT
    {21, {kKey}},                          // KEYCTL_INVALIDATE
    {22, {kUid, kKey}},                    // KEYCTL_GET_PERSISTENT
};

/// Address and data.
constexpr Variant kPtrace[] = {
    {0, {}},                               // PTRACE_TRACEME
    {8, {}},                               // PTRACE_KILL
    {16, {}},                              // PTRACE_ATTACH
    {0x4207, {}},                          // PTRACE_INTERRUPT
    {0x4208, {}},                          // PTRACE_LISTEN
    {7, {kPointer, kSignal}},              // PTRACE_CONT
    {9, {kPointer, kSignal}},              // PTRACE_SINGLESTEP
    {17, {kPointer, kSignal}},             // PTRACE_DETACH
    {24, {kPointer, kSignal}},             // PTRACE_SYSCALL
    {31, {kPointer, kSignal}},             // PTRACE_SYSEMU
    {32, {kPointer, kSignal}},             // PTRACE_SYSEMU_SINGLESTEP
    {33, {kPointer, kSignal}},             // PTRACE_SINGLEBLOCK
    {4, {kPointer, kHex}},                 // PTRACE_POKETEXT
    {5, {kPointer, kHex}},                 // PTRACE_POKEDATA
    {0x4200, {kPointer, kPtraceOptions}},  // PTRACE_SETOPTIONS
    {0x4206, {kPointer, kPtraceOptions}},  // PTRACE_SEIZE
};

/// value, timeout or second value, second address, third value.
constexpr Variant kFutex[] = {
    {0, {kUint, kTimespec}},                  // FUTEX_WAIT
    {1, {kUint}},                             // FUTEX_WAKE
    {2, {kUint}},                             // FUTEX_FD
    {3, {kUint, kUint, kPointer}},            // FUTEX_REQUEUE
    {4, {kUint, kUint, kPointer, kUint}},     // FUTEX_CMP_REQUEUE
    {5, {kUint, kUint, kPointer, kHex}},      // FUTEX_WAKE_OP
    {6, {kNone, kTimespec}},                  // FUTEX_LOCK_PI
    {7, {}},                                  // FUTEX_UNLOCK_PI
    {8, {}},                                  // FUTEX_TRYLOCK_PI
    {9, {kUint, kTimespec, kNone, kBitset}},  // FUTEX_WAIT_BITSET
    {10, {kUint, kNone, kNone, kBitset}},     // FUTEX_WAKE_BITSET
    {11, {kUint, kTimespec, kPointer}},       // FUTEX_WAIT_REQUEUE_PI
    {12, {kUint, kUint, kPointer, kUint}},    // FUTEX_CMP_REQUEUE_PI
    {13, {kNone, kTimespec}},                 // FUTEX_LOCK_PI2
};

/// Of no command.
constexpr std::array<Arg, 4> kFutexOther = {kUint, kPointer, kPointer, kHex};

/// Whose argument is a structure, a number behind a pointer, a number, or nothing.
constexpr Variant kIoctl[] = {
    {0x5401, {kTermiosOut}},     // TCGETS
    {0x5402, {kTermios}},        // TCSETS
    {0x5403, {kTermios}},        // TCSETSW
    {0x5404, {kTermios}},        // TCSETSF
    {0x5409, {kInt}},            // TCSBRK
    {0x540c, {}},                // TIOCEXCL
    {0x540d, {}},                // TIOCNXCL
    {0x540e, {kInt}},            // TIOCSCTTY
    {0x540f, {kNumberOut}},      // TIOCGPGRP
    {0x5410, {kNumber}},         // TIOCSPGRP
    {0x5411, {kNumberOut}},      // TIOCOUTQ
    {0x5413, {kWinsizeOut}},     // TIOCGWINSZ
    {0x5414, {kWinsize}},        // TIOCSWINSZ
    {0x541a, {kNumber}},         // TIOCSSOFTCAR
    {0x5419, {kNumberOut}},      // TIOCGSOFTCAR
    {0x541b, {kNumberOut}},      // FIONREAD
    {0x541d, {}},                // TIOCCONS
    {0x5420, {kNumber}},         // TIOCPKT
    {0x5421, {kNumber}},         // FIONBIO
    {0x5422, {}},                // TIOCNOTTY
    {0x5423, {kNumber}},         // TIOCSETD
    {0x5424, {kNumberOut}},      // TIOCGETD
    {0x5425, {kInt}},            // TCSBRKP
    {0x5427, {}},                // TIOCSBRK
    {0x5428, {}},                // TIOCCBRK
    {0x5429, {kNumberOut}},      // TIOCGSID
    {0x5437, {}},                // TIOCVHANGUP
    {0x5450, {}},                // FIONCLEX
    {0x5451, {}},                // FIOCLEX
    {0x5452, {kNumber}},         // FIOASYNC
    {0x40045431, {kNumber}},     // TIOCSPTLCK
    {0x80045430, {kNumberOut}},  // TIOCGPTN
    {0x80045432, {kNumberOut}},  // TIOCGDEV
    {0x80045440, {kNumberOut}},  // TIOCGEXCL
};

constexpr std::uint32_t kFutexCommandMask = 127;  // without PRIVATE and CLOCK_REALTIME

Arg pick(std::span<const Variant> variants, std::uint32_t command, std::size_t at, Arg otherwise) {
  const auto found = std::find_if(variants.begin(), variants.end(),
                                  [&](const Variant& variant) { return variant.command == command; });
  return found == variants.end() ? otherwise : found->args[at];
}

Arg socket_protocol(std::uint32_t domain) {
  switch (domain) {
    case 2:   // AF_INET
    case 10:  // AF_INET6
      return kInetProtocol;
    case 16:
      return kNetlinkProtocol;
    case 17:
      return kEtherProtocol;
    default:
      return kInt;
  }
}

Arg socket_option(std::uint32_t level) {
  switch (level) {
    case 0:
      return kIpOption;
    case 1:
      return kSocketOption;
    case 6:
      return kTcpOption;
    case 41:
      return kIpv6Option;
    case 263:
      return kPacketOption;
    case 270:
      return kNetlinkOption;
    default:
      return kHex;
  }
}

constexpr std::uint32_t kCapAmbientOption = 47;  // PR_CAP_AMBIENT
constexpr std::uint32_t kAmbientIsSet = 1;
constexpr std::uint32_t kAmbientLower = 3;
constexpr std::uint64_t kCreate = 0100;
constexpr std::uint64_t kTemporary = 020000000;
constexpr std::uint64_t kTypeMask = 0170000;
constexpr std::uint64_t kBlockDevice = 0060000;
constexpr std::uint64_t kCharacterDevice = 0020000;
constexpr std::uint32_t kRestart2 = 0xa1b2c3d4;
constexpr std::uint64_t kRemapTo = 2 | 4;  // MREMAP_FIXED, MREMAP_DONTUNMAP

}  // namespace

Arg resolve(const Syscall& info, const Call& call, std::size_t index) {
  const Arg kind = info.args[index];
  const auto low = [&](std::size_t i) { return static_cast<std::uint32_t>(call.args[i]); };
  const std::uint64_t before = index > 0 ? call.args[index - 1] : 0;
  switch (kind) {
    case kFcntlArgument:
      return pick(kFcntl, low(1), 0, kHex);
    case kPrctlFirst:
    case kPrctlArgument:
      // Only these are about one capability; to clear all of them takes none.
      if (low(0) == kCapAmbientOption && index == 2 && (low(1) < kAmbientIsSet || low(1) > kAmbientLower))
        return kHex;
      return pick(kPrctl, low(0), index - 1, kHex);
    case kKeyctlArgument:
      return pick(kKeyctl, low(0), index - 1, kHex);
    case kPtraceAddress:
      return pick(kPtrace, low(0), 0, kPointer);
    case kPtraceData:
      return pick(kPtrace, low(0), 1, kPointer);
    case kPid:
      // The traced process is the caller itself.
      return info.nr == Nr::ptrace && low(0) == 0 ? kNone : kPid;
    case kFutexArgument:
    case kFutexTimeout:
      return pick(kFutex, low(1) & kFutexCommandMask, index - 2, kFutexOther[index - 2]);
    case kIoctlArgument:
      return pick(kIoctl, low(1), 0, choice_name(names::IoctlRequest, before).empty() ? kHex : kPointer);
    case kSocketProtocol:
      return socket_protocol(low(0));
    case kSockoptName:
      return socket_option(low(1));
    case kOpenMode:
      return (before & kCreate) != 0 || (before & kTemporary) != 0 ? kMode : kNone;
    case kDev:
      if (index > 0 && info.args[index - 1] == kFileType && (before & kTypeMask) != kBlockDevice &&
          (before & kTypeMask) != kCharacterDevice) {
        return kNone;
      }
      return kDev;
    case kMqAttr:
      // Of a queue that is only opened nobody reads them.
      return (call.args[1] & kCreate) != 0 ? kMqAttr : kNone;
    case kMremapAddress:
      return (before & kRemapTo) != 0 ? kPointer : kNone;
    case kMembarrierCpu:
      return (before & 1U) != 0 ? kInt : kNone;
    case kRebootArgument:
      return low(2) == kRestart2 ? kBuffer : kNone;
    case kHighHalf:
      return kNone;
    case kBuffer:
    case kInt:
      // The log's size is asked for and its state is set without a buffer.
      if (info.nr == Nr::syslog && (low(0) < 2 || low(0) > 4) && low(0) != 8) return kNone;
      return kind;
    default:
      return kind;
  }
}

}  // namespace rehearse::syscalls
