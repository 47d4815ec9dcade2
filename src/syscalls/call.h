// One system call as somebody saw it, and the line strace would print for it.
//
// What comes from user memory is hostile; every function here is total and gives printable ASCII, one line,
// whatever the call holds. A name is shown only for a value the kernel would understand so: `int` arguments
// are read from their low 32 bits, as the kernel does. Of structures behind pointers those of structs.def
// are decoded, of the others the pointer is shown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "syscalls/table.h"

namespace rehearse::syscalls {

/// Bytes read from user memory, without the NUL.
struct Text {
  std::string bytes;
  bool truncated = false;  ///< there was more
};

enum class Abi : std::uint32_t { kX86_64 = 0, kI386 = 1, kX32 = 2 };

struct Call {
  std::uint32_t nr = 0;  ///< as the ABI numbers it; x32's bit 30 may be there or not
  std::array<std::uint64_t, kMaxArguments> args = {};
  bool returned = false;
  std::int64_t result = 0;  ///< as the kernel returned it: -4095..-1 is an error; 0 if it has not returned
  /// User string (or captured buffer) of argument i. Absent: could not be read, the pointer is shown.
  std::array<std::optional<Text>, kMaxArguments> texts = {};
  /// Raw bytes behind argument i (structs.def).
  std::array<std::optional<std::string>, kMaxArguments> blobs = {};
  /// What argument i pointed to when the call returned, where `blobs` has what was there before.
  std::array<std::optional<std::string>, kMaxArguments> blobs_after = {};
  std::optional<std::string> peer = {};      ///< the socket address that a struct msghdr names
  std::vector<std::string> argv = {};        ///< execve; empty: could not be read
  bool argv_cut = false;                     ///< there was more
  std::vector<std::string> envp_names = {};  ///< execve: variables' names; only their number is shown
  std::uint32_t abi = 0;                     ///< Abi
};

/// The call's name; "syscall_0x1f4" where the tables have none.
std::string format_name(const Call& call);
/// The name with its ABI in front, unless that is x86-64's own: "i386 getpid".
std::string format_full_name(const Call& call);

/// What stands between the parentheses.
std::string format_arguments(const Call& call);

/// What stands behind "= ": "3", "-1 ENOENT (No such file or directory)", "?".
std::string format_result(const Call& call);

/// openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
std::string format_call(const Call& call);

/// ENOENT for 2, ERESTARTSYS for 512, empty where there is none.
std::string_view errno_name(int error);

/// SIGKILL for 9, SIGRT_2 for 34, empty where there is none.
std::string_view signal_name(int signal);

}  // namespace rehearse::syscalls
