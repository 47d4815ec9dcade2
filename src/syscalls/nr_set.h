// A set of system calls, by number: asked once an event, and so in constant time.
#pragma once

#include <array>
#include <cstdint>

#include "syscalls/table.h"

namespace rehearse::syscalls {

class NrSet {
 public:
  /// constexpr NrSet kOpens{Nr::open, Nr::openat}; a number that is in no table does not compile there.
  template <class... Numbers>
  constexpr explicit NrSet(Numbers... numbers) {
    (add(numbers), ...);
  }
  constexpr NrSet operator|(const NrSet& other) const {
    NrSet both = *this;
    for (std::size_t i = 0; i < both.words_.size(); ++i) both.words_[i] |= other.words_[i];
    return both;
  }

  [[nodiscard]] constexpr bool contains(std::uint32_t nr) const {
    return nr <= kLastSyscall && (words_[nr / 64] >> (nr % 64) & 1U) != 0;
  }

 private:
  constexpr void add(std::uint32_t nr) { words_.at(nr / 64) |= std::uint64_t{1} << (nr % 64); }

  std::array<std::uint64_t, kLastSyscall / 64 + 1> words_ = {};
};

}  // namespace rehearse::syscalls
