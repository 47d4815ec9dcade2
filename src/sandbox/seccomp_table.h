// What the system call filter refuses, with the errno and the reason: one table, compiled into BPF when the
// product is built (seccomp_compile.cc) and printed by `rehearse run --plan`.
//
// Everything that is not listed is allowed; numbers above kLastKnownSyscall get ENOSYS, so that a kernel
// newer than the table offers nothing unknown. int arguments are compared masked to 32 bits: libseccomp
// compares 64, and the kernel ignores the upper half.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rehearse::sandbox {

/// A condition on one argument: (argument & mask) == value, or argument != value when `differs`.
struct SeccompCondition {
  unsigned argument;
  std::uint64_t mask;
  std::uint64_t value;
  bool differs = false;
};

struct SeccompRule {
  std::uint32_t number;  ///< syscalls::Nr
  int error;             ///< errno returned; 0: success is faked and nothing is done
  const char* when;      ///< the condition in words, empty for "always"
  const char* why;
  std::optional<SeccompCondition> first = {};
  std::optional<SeccompCondition> second = {};

  [[nodiscard]] std::string_view name() const;  ///< from the table of system calls
};

/// file_setattr(2), Linux 6.17.
inline constexpr std::uint32_t kLastKnownSyscall = 469;

std::span<const SeccompRule> seccomp_rules();

/// Socket families that may be made at all; the rest get EAFNOSUPPORT before the kernel looks for a module.
std::span<const int> allowed_socket_families();
inline constexpr int kSocketFamilyCount = 46;  ///< NPROTO: above it no module is looked for

}  // namespace rehearse::sandbox
