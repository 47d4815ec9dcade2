// What is left of a pass rule's limits on bytes, for all its connections together.
#pragma once

#include <cstdint>
#include <limits>

#include "gate/rules.h"

namespace rehearse::gate {

class PassBudget {
 public:
  /// `least`: so much may be saved up, however low the rate is. What cannot be cut has to fit.
  PassBudget(const PassLimits& limits, std::int64_t now_ns, std::uint64_t least = 1);

  /// How many bytes may move now; 0 if none.
  std::uint64_t allowance(std::int64_t now_ns);
  /// At most what allowance() said.
  void spend(std::uint64_t bytes);
  /// No byte will ever move again.
  [[nodiscard]] bool exhausted() const { return left_ == 0; }
  /// When allowance() is worth asking again, if it was 0 and the budget is not exhausted.
  [[nodiscard]] std::int64_t next(std::int64_t now_ns) const;

 private:
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t left_;  ///< of the rule's bytes
  std::uint64_t rate_;  ///< bytes per second
  std::uint64_t most_;  ///< that may be saved up
  std::uint64_t saved_;
  std::int64_t filled_ns_;  ///< until when saved_ is reckoned
};

}  // namespace rehearse::gate
