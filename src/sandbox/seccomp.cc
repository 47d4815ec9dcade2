#include "sandbox/seccomp.h"

#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstddef>

#include "syscalls/table.h"

namespace rehearse::sandbox {
namespace {
constexpr struct sock_filter kProgram[] = {
#include "seccomp_program.inc"
};

constexpr struct sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

/// Of x86-64: the low half comes first.
constexpr std::size_t argument(unsigned number, bool high) {
  return offsetof(struct seccomp_data, args) + number * sizeof(std::uint64_t) + (high ? 4 : 0);
}
}  // namespace

std::span<const struct sock_filter> seccomp_program() {
  return kProgram;
}

std::vector<struct sock_filter> room_program(std::uint64_t most) {
  constexpr std::uint32_t kTakesNothing = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE;
  constexpr std::uint32_t kNegative = 0x80000000U;  // is told EINVAL by the kernel
  const auto high = static_cast<std::uint32_t>(most >> 32U);
  const auto low = static_cast<std::uint32_t>(most);
  return {
      load(offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 11),
      load(offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, syscalls::Nr::fallocate, 0, 9),
      load(argument(1, false)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kTakesNothing, 7, 0),
      load(argument(3, true)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kNegative, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, high, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 3),
      load(argument(3, false)),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, low, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
  };
}

}  // namespace rehearse::sandbox
