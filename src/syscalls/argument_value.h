// One argument of a call by itself: the number that the kernel takes, and what that is called.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "syscalls/call.h"

namespace rehearse::syscalls {

struct ArgumentValue {
  std::uint64_t bits = 0;  ///< as wide as the kernel reads it, an int32 extended
  bool is_signed = false;  ///< `bits` are those of an int64
  std::string text;        ///< as format_arguments shows it; empty where that is just the number
};

/// nullopt: the call has no such argument, or does not take it this time (openat's mode without O_CREAT).
std::optional<ArgumentValue> argument_value(const Call& call, std::size_t index);

}  // namespace rehearse::syscalls
