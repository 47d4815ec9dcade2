// Which of the processes of a failed action made it fail, as far as that can be told: the action itself, and
// from each such process on the one of its failed children that ended last, with those that ran beside that
// one.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "verdict/failure.h"

namespace rehearse::verdict {

class Blame {
 public:
  /// `processes` are borrowed.
  explicit Blame(const std::vector<RanProcess>& processes);

  [[nodiscard]] bool has(std::uint32_t process) const { return blamed_.contains(process); }
  /// It or the process that started it.
  [[nodiscard]] bool near(std::uint32_t process) const;
  [[nodiscard]] const RanProcess* find(std::uint32_t process) const;

 private:
  std::unordered_map<std::uint32_t, const RanProcess*> by_id_;
  std::unordered_set<std::uint32_t> blamed_;
};

}  // namespace rehearse::verdict
