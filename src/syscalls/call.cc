#include "syscalls/call.h"

#include <fmt/format.h>

#include <cstring>
#include <iterator>

#include "syscalls/arguments.h"
#include "syscalls/names.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"
#include "syscalls/variants.h"

namespace rehearse::syscalls {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;

/// x32 shares the native numbers below its own.
const Syscall* find(const Call& call) {
  if (call.abi == static_cast<std::uint32_t>(Abi::kX86_64)) return find_syscall(call.nr);
  if (call.abi == static_cast<std::uint32_t>(Abi::kX32)) return find_syscall(call.nr & ~kX32Bit);
  return nullptr;
}

/// strace's order, with labels: what clone(2) calls them says little.
std::string clone_arguments(const Call& call) {
  constexpr std::uint64_t kParentTid = 0x100000 | 0x1000;  // CLONE_PIDFD uses the same argument
  constexpr std::uint64_t kTls = 0x80000;
  constexpr std::uint64_t kChildTid = 0x1200000;
  const std::uint64_t flags = call.args[0];
  std::string out = "child_stack=";
  append_pointer(out, call.args[1]);
  out += ", flags=";
  append_clone_flags(out, flags);
  const auto pointer = [&](std::string_view label, std::size_t index, std::uint64_t when) {
    if ((flags & when) == 0) return;
    out += label;
    append_pointer(out, call.args[index]);
  };
  pointer(", parent_tid=", 2, kParentTid);
  pointer(", tls=", 4, kTls);
  pointer(", child_tidptr=", 3, kChildTid);
  return out;
}

/// The kernel's own errors that make it restart the call; a program never sees them.
std::string_view restart_text(int error) {
  switch (error) {
    case 512:
      return "To be restarted if SA_RESTART is set";
    case 513:
      return "To be restarted";
    case 514:
      return "To be restarted if no handler";
    case 516:
      return "Interrupted by signal";
    default:
      return {};
  }
}

std::string error_text(int error) {
  const std::string_view name = errno_name(error);
  if (const std::string_view restart = restart_text(error); !restart.empty()) {
    return fmt::format("? {} ({})", name, restart);
  }
  if (name.empty()) return fmt::format("-1 (errno {})", error);
  const char* text = ::strerrordesc_np(error);  // not strerror: that one speaks the user's language
  if (text == nullptr) return fmt::format("-1 {} (Unknown error {})", name, error);
  return fmt::format("-1 {} ({})", name, text);
}

/// "0x8000 (flags O_RDONLY|O_LARGEFILE)"
std::string flags_text(std::int64_t result, std::string_view what, const NameSet& set) {
  std::string out;
  append_hex(out, static_cast<std::uint64_t>(result));
  if (result == 0 && set.choice_mask == 0) return out;
  out += fmt::format(" ({} ", what);
  append_names(out, set, static_cast<std::uint64_t>(result));
  return out + ')';
}

std::string named_result(std::int64_t result, const NameSet& set) {
  std::string out = fmt::format("{} (", result);
  append_names(out, set, static_cast<std::uint64_t>(result));
  return out + ')';
}

/// "0x2 (F_UNLCK)"
std::string chosen_result(std::int64_t result, const NameSet& set) {
  std::string out;
  append_hex(out, static_cast<std::uint64_t>(result));
  out += " (";
  append_names(out, set, static_cast<std::uint64_t>(result));
  return out + ')';
}

std::string prctl_result(const Call& call) {
  switch (static_cast<std::uint32_t>(call.args[0])) {
    case 3:  // PR_GET_DUMPABLE
      return named_result(call.result, names::Dumpable);
    case 27:  // PR_GET_SECUREBITS
      return call.result == 0 ? "0" : chosen_result(call.result, names::Securebits);
    default:
      return fmt::format("{}", call.result);
  }
}

std::string fcntl_result(const Call& call) {
  switch (static_cast<std::uint32_t>(call.args[1])) {
    case 1:  // F_GETFD
      return flags_text(call.result, "flags", names::FdFlags);
    case 3:  // F_GETFL
      return flags_text(call.result, "flags", names::OpenFlags);
    case 11:  // F_GETSIG
      if (const auto name = signal_name(static_cast<int>(call.result)); !name.empty())
        return fmt::format("{} ({})", call.result, name);
      return fmt::format("{}", call.result);
    case 1025:  // F_GETLEASE
      return chosen_result(call.result, names::LeaseType);
    case 1034:  // F_GET_SEALS
      return flags_text(call.result, "seals", names::SealFlags);
    default:
      return fmt::format("{}", call.result);
  }
}

std::string success_text(const Syscall* info, const Call& call) {
  const auto bits = static_cast<std::uint64_t>(call.result);
  std::string out;
  switch (info == nullptr ? Return::kLong : info->result) {
    case Return::kPointer:
      append_hex(out, bits);
      return out;
    case Return::kOctal:
      append_mode(out, bits);
      return out;
    case Return::kReady:
      out = call.result == 0 ? "0 (Timeout)" : fmt::format("{}", call.result);
      if (call.result > 0) append_ready(out, *info, call);
      return out;
    case Return::kFcntl:
      return fcntl_result(call);
    case Return::kPrctl:
      return prctl_result(call);
    case Return::kPersonality:
      append_hex(out, bits);
      out += " (";
      append_personality(out, bits);
      return out + ')';
    case Return::kSchedPolicy:
      return named_result(call.result, names::SchedPolicy);
    case Return::kIoprio:
      out = fmt::format("{} (", call.result);
      append_ioprio(out, bits);
      return out + ')';
    case Return::kMembarrier:
      if (static_cast<std::uint32_t>(call.args[0]) != 0 || call.result == 0)
        return fmt::format("{}", call.result);
      append_hex(out, bits);
      out += " (";
      append_names(out, names::MembarrierCommand, bits);
      return out + ')';
    default:
      return fmt::format("{}", call.result);
  }
}

}  // namespace

std::string format_name(const Call& call) {
  const Syscall* info = find(call);
  if (info != nullptr) return std::string(info->name);
  if (call.abi == static_cast<std::uint32_t>(Abi::kI386)) {
    if (const std::string_view name = i386_name(call.nr); !name.empty()) return std::string(name);
  }
  return fmt::format("syscall_0x{:x}", call.nr);
}

std::string format_full_name(const Call& call) {
  const std::string name = format_name(call);
  if (call.abi == static_cast<std::uint32_t>(Abi::kI386)) return "i386 " + name;
  return call.abi == static_cast<std::uint32_t>(Abi::kX32) ? "x32 " + name : name;
}

std::string format_arguments(const Call& call) {
  const Syscall* info = find(call);
  std::string out;
  if (info == nullptr) {
    for (std::size_t i = 0; i < kMaxArguments; ++i) {
      if (i > 0) out += ", ";
      append_hex(out, call.args[i]);
    }
    return out;
  }
  if (info->nr == Nr::clone) return clone_arguments(call);
  for (std::size_t i = 0; i < info->count; ++i) {
    const Arg kind = resolve(*info, call, i);
    if (kind == Arg::kNone) continue;
    if (!out.empty()) out += ", ";
    append_argument(out, call, i, kind);
  }
  return out;
}

std::string format_result(const Call& call) {
  const Syscall* info = find(call);
  if (!call.returned || (info != nullptr && info->result == Return::kNever)) return "?";
  constexpr std::int64_t kMaxErrno = 4095;
  if (call.result < 0 && call.result >= -kMaxErrno) return error_text(static_cast<int>(-call.result));
  return success_text(info, call);
}

std::string format_call(const Call& call) {
  return format_full_name(call) + '(' + format_arguments(call) + ") = " + format_result(call);
}

}  // namespace rehearse::syscalls
