#include "syscalls/arguments.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <iterator>

#include "syscalls/names.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

using enum Arg;

template <class T>
void append_decimal(std::string& out, std::uint64_t value) {
  fmt::format_to(std::back_inserter(out), "{}", static_cast<T>(value));
}

/// Ids are unsigned, but all ones means "leave it".
void append_id(std::string& out, std::uint64_t value) {
  if (static_cast<std::uint32_t>(value) == 0xffffffffU) {
    out += "-1";
  } else {
    append_decimal<std::uint32_t>(out, value);
  }
}

void append_directory(std::string& out, std::uint64_t value) {
  constexpr std::int32_t kCurrent = -100;
  if (static_cast<std::int32_t>(value) == kCurrent) {
    out += "AT_FDCWD";
  } else {
    append_decimal<std::int32_t>(out, value);
  }
}

void append_signal(std::string& out, std::uint64_t value) {
  const auto number = static_cast<std::int32_t>(value);
  const std::string_view name = signal_name(number);
  if (name.empty()) {
    append_decimal<std::int32_t>(out, value);
  } else {
    out += name;
  }
}

void append_text(std::string& out, const Call& call, std::size_t index) {
  const auto& text = call.texts[index];
  if (!text) {
    append_pointer(out, call.args[index]);
    return;
  }
  append_quoted(out, text->bytes);
  if (text->truncated) out += "...";
}

/// The size of huge pages that memory is to have is a number among the flags: its logarithm, from bit 26 up.
/// Flags and that: MAP_HUGETLB|21<<MAP_HUGE_SHIFT.
void append_with_page_size(std::string& out, const NameSet& set, std::uint64_t value,
                           std::string_view shift) {
  constexpr unsigned kShift = 26;
  constexpr std::uint64_t kMask = std::uint64_t{0x3f} << kShift;
  const std::uint64_t size = (value & kMask) >> kShift;
  const std::uint64_t flags = value & ~kMask;
  const bool nothing_else = size != 0 && flags == 0 && set.choice_mask == 0;
  if (!nothing_else) append_names(out, set, flags);
  if (size == 0) return;
  fmt::format_to(std::back_inserter(out), "{}{}<<{}", nothing_else ? "" : "|", size, shift);
}

/// Flags and a mode in one number: IPC_CREAT|0600.
void append_with_mode(std::string& out, const NameSet& set, std::uint64_t value) {
  constexpr std::uint64_t kModeMask = 0777;
  const std::uint64_t flags = static_cast<std::uint32_t>(value) & ~kModeMask;
  if (flags != 0) {
    if (&set == &names::ShmgetFlags)
      append_with_page_size(out, set, flags, "SHM_HUGE_SHIFT");
    else
      append_names(out, set, flags);
    out += '|';
  }
  append_mode(out, value & kModeMask);
}

void append_quota_command(std::string& out, std::uint64_t value) {
  const auto command = static_cast<std::uint32_t>(value);
  constexpr std::uint32_t kTypeMask = 0xff;
  out += "QCMD(";
  append_names(out, names::QuotaSubcommand, command >> 8U);
  out += ", ";
  append_names(out, names::QuotaType, command & kTypeMask);
  out += ')';
}

void append_futex_op(std::string& out, std::uint64_t value) {
  constexpr std::uint32_t kPrivate = 128;
  constexpr std::uint32_t kClockRealtime = 256;
  const auto op = static_cast<std::uint32_t>(value);
  const std::string_view name = choice_name(names::FutexOp, op & ~(kPrivate | kClockRealtime));
  if (name.empty()) {
    append_names(out, names::FutexOp, op);
    return;
  }
  out += name;
  if ((op & kPrivate) != 0) out += "_PRIVATE";
  if ((op & kClockRealtime) != 0) out += "|FUTEX_CLOCK_REALTIME";
}

void append_ioctl_request(std::string& out, std::uint64_t value) {
  const auto request = static_cast<std::uint32_t>(value);
  const std::string_view name = choice_name(names::IoctlRequest, request);
  if (!name.empty()) {
    out += name;
    return;
  }
  constexpr std::string_view kDirections[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"};
  out += "_IOC(";
  out += kDirections[request >> 30U];
  out += ", ";
  append_hex(out, request >> 8U & 0xffU);
  out += ", ";
  append_hex(out, request & 0xffU);
  out += ", ";
  append_hex(out, request >> 16U & 0x3fffU);
  out += ')';
}

void append_argv(std::string& out, const Call& call, std::size_t index) {
  if (call.argv.empty()) {
    append_pointer(out, call.args[index]);
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < call.argv.size(); ++i) {
    if (i > 0) out += ", ";
    append_quoted(out, call.argv[i]);
  }
  if (call.argv_cut) out += ", ...";
  out += ']';
}

void append_envp(std::string& out, const Call& call, std::size_t index) {
  append_pointer(out, call.args[index]);
  if (call.args[index] == 0 || call.envp_names.empty()) return;
  const std::size_t count = call.envp_names.size();
  fmt::format_to(std::back_inserter(out), " /* {} var{} */", count, count == 1 ? "" : "s");
}

void append_syslog_action(std::string& out, std::uint64_t value) {
  append_decimal<std::int32_t>(out, value);
  const std::string_view name = choice_name(names::SyslogAction, value);
  out += " /* ";
  out += name.empty() ? names::SyslogAction.unknown : name;
  out += " */";
}

void append_key(std::string& out, std::uint64_t value) {
  const std::string_view name = choice_name(names::KeySpecial, value);
  if (name.empty()) {
    append_decimal<std::int32_t>(out, value);
  } else {
    out += name;
  }
}

/// The number as what it is; false if it takes more than the number.
bool append_number(std::string& out, Arg kind, std::uint64_t value) {
  switch (kind) {
    case kInt:
    case kFd:
    case kPid:
      append_decimal<std::int32_t>(out, value);
      return true;
    case kUint:
      append_decimal<std::uint32_t>(out, value);
      return true;
    case kLong:
      append_decimal<std::int64_t>(out, value);
      return true;
    case kUlong:
    case kSize:
      append_decimal<std::uint64_t>(out, value);
      return true;
    case kAtFd:
      append_directory(out, value);
      return true;
    case kMode:
    case kUmask:
      append_mode(out, value & 0xffffU);
      return true;
    case kUid:
    case kGid:
      append_id(out, value);
      return true;
    case kSignal:
      append_signal(out, value);
      return true;
    case kBitset:
      if (static_cast<std::uint32_t>(value) == 0xffffffffU) {
        out += "FUTEX_BITSET_MATCH_ANY";
      } else {
        append_hex(out, value & 0xffffffffU);
      }
      return true;
    case kIpcKey:
      if (static_cast<std::uint32_t>(value) == 0) {
        out += "IPC_PRIVATE";
      } else {
        append_hex(out, value & 0xffffffffU);
      }
      return true;
    default:
      return false;
  }
}

}  // namespace

void append_clone_flags(std::string& out, std::uint64_t value) {
  constexpr std::uint64_t kSignalMask = 0xff;
  const std::uint64_t flags = value & 0xffffffffU & ~kSignalMask;
  const auto signal = value & kSignalMask;
  if (flags != 0 || signal == 0) append_names(out, names::CloneFlags, flags);
  if (signal == 0) return;
  if (flags != 0) out += '|';
  append_signal(out, signal);
}

void append_file_type(std::string& out, std::uint64_t value) {
  constexpr std::uint64_t kTypeMask = 0170000;
  const std::uint64_t type = value & kTypeMask;
  const std::string_view name = choice_name(names::FileKind, type);
  if (!name.empty()) {
    out += name;
    out += '|';
    append_mode(out, value & 0xffffU & ~kTypeMask);
  } else {
    append_mode(out, value & 0xffffU);
  }
}

void append_personality(std::string& out, std::uint64_t value) {
  const std::uint64_t number = value & 0xffffffffU;
  if (number == 0xffffffffU) {  // asks
    append_hex(out, number);
  } else {
    append_names(out, names::Personality, number);
  }
}

void append_ioprio(std::string& out, std::uint64_t value) {
  constexpr unsigned kShift = 13;
  const auto number = static_cast<std::uint32_t>(value);
  out += "IOPRIO_PRIO_VALUE(";
  append_names(out, names::IoprioClass, number >> kShift);
  fmt::format_to(std::back_inserter(out), ", {})", number & ((1U << kShift) - 1));
}

void append_argument(std::string& out, const Call& call, std::size_t index, Arg kind) {
  const std::uint64_t value = call.args[index];
  if (append_number(out, kind, value)) return;
  if (kind == kMmapFlags) return append_with_page_size(out, names::MmapFlags, value, "MAP_HUGE_SHIFT");
  if (kind == kMemfdFlags)
    return append_with_page_size(out, names::MemfdFlags, value & 0xffffffffU, "MFD_HUGE_SHIFT");
  if (const NameSet* set = names_of(kind)) {
    append_names(out, *set, value);
    return;
  }
  if (append_struct(out, call, index, kind)) return;
  switch (kind) {
    case kPath:
    case kString:
    case kBuffer:
      append_text(out, call, index);
      return;
    case kFileType:
      append_file_type(out, value);
      return;
    case kDev:
      append_device(out, value);
      return;
    case kKey:
      append_key(out, value);
      return;
    case kIoprio:
      append_ioprio(out, value);
      return;
    case kSockaddrLength:
      if (index > 0 && call.blobs[index - 1]) {
        fmt::format_to(std::back_inserter(out), "[{}]", call.blobs[index - 1]->size());
      } else {
        append_pointer(out, value);
      }
      return;
    case kArgv:
      append_argv(out, call, index);
      return;
    case kEnvp:
      append_envp(out, call, index);
      return;
    case kFutexOp:
      append_futex_op(out, value);
      return;
    case kPersonality:
      append_personality(out, value);
      return;
    case kIpcFlags:
      append_with_mode(out, names::IpcFlags, value);
      return;
    case kShmgetFlags:
      append_with_mode(out, names::ShmgetFlags, value);
      return;
    case kQuotaCommand:
      append_quota_command(out, value);
      return;
    case kSyslogAction:
      append_syslog_action(out, value);
      return;
    case kIoctlRequest:
      append_ioctl_request(out, value);
      return;
    case kEtherProtocol:
      out += "htons(";
      append_names(out, names::EtherProtocol, ntohs(static_cast<std::uint16_t>(value)));
      out += ')';
      return;
    case kHex:
    case kOffset:
      append_hex(out, value);
      return;
    default:
      append_pointer(out, value);
      return;
  }
}

}  // namespace rehearse::syscalls
