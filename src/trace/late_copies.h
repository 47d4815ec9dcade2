// Strings that could be read neither when a call began nor when it returned, because their page was not there
// at either moment: copied from the process when its records are drained. By then they may be others, or
// gone: a late copy is the weakest word there is of what a call was asked.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "trace/record.h"

namespace rehearse::trace {

class LateCopies {
 public:
  /// Reads up to `size` bytes at `address` of the process of thread `tid`, to the end of a page in which a
  /// NUL is; how many came.
  using Read = std::size_t (*)(std::uint32_t tid, std::uint64_t address, char* to, std::size_t size);
  explicit LateCopies(Read read = read_process) : read_(read) {}

  /// Takes a record of the programs. An RH_LATE record that belongs before it, if there is one; valid until
  /// the next call.
  const struct rh_head* before(const Record& record);

 private:
  static std::size_t read_process(std::uint32_t tid, std::uint64_t address, char* to, std::size_t size);
  void copy(const Record& exit, std::uint8_t arg);

  Read read_;
  std::unordered_map<std::uint32_t, std::uint8_t> unread_;  ///< by thread in a call: a bit an argument
  std::vector<char> made_;
};

}  // namespace rehearse::trace
