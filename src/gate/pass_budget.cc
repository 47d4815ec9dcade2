#include "gate/pass_budget.h"

#include <algorithm>

namespace rehearse::gate {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
/// What is saved up in a pause may go at once, but no more than a fraction of a second's.
constexpr std::uint64_t kPartOfSecond = 10;

/// `most` where it would be more.
std::uint64_t earned_in(std::uint64_t rate, std::uint64_t ns, std::uint64_t most) {
  std::uint64_t whole = 0;
  if (__builtin_mul_overflow(rate, ns / kSecond, &whole) || whole > most) return most;
  const std::uint64_t part = ns % kSecond;
  return std::min(most, whole + rate / kSecond * part + rate % kSecond * part / kSecond);
}

}  // namespace

PassBudget::PassBudget(const PassLimits& limits, std::int64_t now_ns, std::uint64_t least)
    : left_(limits.bytes.value_or(kUnlimited)),
      rate_(limits.bytes_per_second.value_or(kUnlimited)),
      most_(std::max(rate_ / kPartOfSecond, least)),
      saved_(most_),
      filled_ns_(now_ns) {}

std::uint64_t PassBudget::allowance(std::int64_t now_ns) {
  if (rate_ == kUnlimited) return left_;
  const auto passed = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ns - filled_ns_, 0));
  const std::uint64_t earned = earned_in(rate_, passed, most_);
  if (earned > 0) {
    saved_ = std::min(most_, saved_ + earned);
    filled_ns_ = now_ns;
  }
  return std::min(left_, saved_);
}

void PassBudget::spend(std::uint64_t bytes) {
  if (left_ != kUnlimited) left_ -= std::min(bytes, left_);
  if (rate_ != kUnlimited) saved_ -= std::min(bytes, saved_);
}

std::int64_t PassBudget::next(std::int64_t now_ns) const {
  // A tenth of what may be saved: often enough to be even, seldom enough to be cheap.
  const std::uint64_t wanted = std::max<std::uint64_t>(most_ / kPartOfSecond, 1);
  const std::uint64_t wait = wanted * kSecond / std::max<std::uint64_t>(rate_, 1) + 1;
  return std::max(filled_ns_ + static_cast<std::int64_t>(wait), now_ns + 1);
}

}  // namespace rehearse::gate
