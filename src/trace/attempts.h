// What the action tried that only a host's administrator may: listed whether or not it was let.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "syscalls/table.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

struct Attempt {
  std::string what;  ///< "mount", "module", "sysctl", ...
  std::string
      detail;  ///< the call as strace prints it, without its result; strings in it are the action's word
  bool denied = false;  ///< else it took place, within the run's own namespaces
  int error = 0;        ///< errno, if it was denied
  std::uint32_t process = 0;
  std::uint64_t count = 0;
};

class Attempts {
 public:
  /// `tree` has taken the record already.
  void add(const Record& record, const ProcessTree& tree);

  /// In the order in which they were first made. Beyond the first thousands only counted.
  [[nodiscard]] const std::vector<Attempt>& list() const { return list_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t unlisted() const { return unlisted_; }

 private:
  void note(Attempt attempt);

  std::vector<Attempt> list_;
  std::map<std::tuple<std::uint32_t, int, std::string>, std::size_t> known_;
  std::uint64_t total_ = 0;
  std::uint64_t unlisted_ = 0;
};

}  // namespace rehearse::trace
