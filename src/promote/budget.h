// [limits] per_hour of a policy: how much promotions may do to the host within an hour, counted in effects.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "ledger/decisions.h"

namespace rehearse::promote {

inline constexpr std::int64_t kBudgetWindowNs = 3'600'000'000'000;

/// `spent`: effects of the promotions of the last hour, oldest first. Pure. kHalted names the budget that
/// `wanted` does not fit in any more, and when it will.
Result<void> check_budgets(const std::map<std::string, std::int64_t>& per_hour,
                           std::span<const ledger::PromotionEffects> spent,
                           const ledger::PromotionEffects& wanted, std::int64_t now_ns);

}  // namespace rehearse::promote
