#include "syscalls/argument_value.h"

#include "syscalls/arguments.h"
#include "syscalls/names.h"
#include "syscalls/variants.h"

namespace rehearse::syscalls {
namespace {

using enum Arg;

enum class Width : std::uint8_t { kInt32, kUint32, kMode16, kInt64, kUint64 };

Width width_of(Arg kind) {
  if (const NameSet* set = names_of(kind)) return set->wide ? Width::kUint64 : Width::kUint32;
  switch (kind) {
    case kInt:
    case kFd:
    case kAtFd:
    case kPid:
    case kSignal:
    case kKey:
      return Width::kInt32;
    case kUint:
    case kUid:
    case kGid:
    case kDev:
    case kIpcKey:
    case kIpcFlags:
    case kShmgetFlags:
    case kQuotaCommand:
    case kSyslogAction:
    case kIoctlRequest:
    case kFutexOp:
    case kPersonality:
    case kIoprio:
    case kBitset:
      return Width::kUint32;
    case kMode:
    case kUmask:
    case kFileType:
      return Width::kMode16;
    case kLong:
      return Width::kInt64;
    default:
      return Width::kUint64;
  }
}

/// Shown as decimal numbers, whatever they are.
bool is_plain(Arg kind) {
  return kind == kInt || kind == kUint || kind == kLong || kind == kUlong || kind == kSize || kind == kFd ||
         kind == kPid;
}

}  // namespace

std::optional<ArgumentValue> argument_value(const Call& call, std::size_t index) {
  if (call.abi != static_cast<std::uint32_t>(Abi::kX86_64)) return std::nullopt;
  const Syscall* info = find_syscall(call.nr);
  if (info == nullptr || index >= info->count) return std::nullopt;
  const Arg kind = resolve(*info, call, index);
  if (kind == kNone) return std::nullopt;
  ArgumentValue value;
  const std::uint64_t raw = call.args[index];
  switch (width_of(kind)) {
    case Width::kInt32:
      value.bits = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(raw)});
      value.is_signed = true;
      break;
    case Width::kUint32:
      value.bits = static_cast<std::uint32_t>(raw);
      break;
    case Width::kMode16:
      value.bits = raw & 0xffffU;
      break;
    case Width::kInt64:
      value.bits = raw;
      value.is_signed = true;
      break;
    case Width::kUint64:
      value.bits = raw;
      break;
  }
  if (info->nr == Nr::clone && index == 0) {
    append_clone_flags(value.text, raw);
  } else if (!is_plain(kind)) {
    append_argument(value.text, call, index, kind);
  }
  return value;
}

}  // namespace rehearse::syscalls
