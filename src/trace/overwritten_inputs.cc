#include "trace/overwritten_inputs.h"

#include <cstdint>

#include "syscalls/structs.h"
#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

/// Bytes that are surely there, where their number is an argument.
std::uint64_t size_of(const syscalls::Capture& capture) {
  return capture.length == syscalls::Capture::Length::kFixed ? capture.most : 1;
}

bool overlap(std::uint64_t one, std::uint64_t one_size, std::uint64_t other, std::uint64_t other_size) {
  return one <= other ? other - one < one_size : one - other < other_size;
}

}  // namespace

unsigned overwritten_inputs(const Record& record) {
  const syscalls::Syscall* known =
      record.head().abi == 0 ? syscalls::find_syscall(record.head().nr) : nullptr;
  if (known == nullptr) return 0;
  unsigned found = 0;
  for (std::uint8_t in = 0; in < known->count; ++in) {
    const auto read = syscalls::capture_of(known->args[in], in);
    if (!read || read->out || record.argument(in) == 0) continue;
    for (std::uint8_t out = 0; out < known->count; ++out) {
      const auto filled = syscalls::capture_of(known->args[out], out);
      if (!filled || !filled->out || record.argument(out) == 0) continue;
      if (overlap(record.argument(in), size_of(*read), record.argument(out), size_of(*filled)))
        found |= 1U << in;
    }
  }
  return found;
}

}  // namespace rehearse::trace
