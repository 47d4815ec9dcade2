#include "promote/budget.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/units.h"

namespace rehearse::promote {
namespace {

using ledger::PromotionEffects;

std::int64_t amount_of(const PromotionEffects& effects, const std::string& budget) {
  if (budget == "changes") return effects.changes;
  if (budget == "deletes") return effects.deletes;
  if (budget == "bytes_written") return effects.bytes_written;
  if (budget == "units_restarted") return effects.units_restarted;
  return 1;  // promotions
}

std::string shown(const std::string& budget, std::int64_t amount) {
  return budget == "bytes_written" ? format_bytes(static_cast<std::uint64_t>(amount))
                                   : std::to_string(amount);
}

std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

}  // namespace

Result<void> check_budgets(const std::map<std::string, std::int64_t>& per_hour,
                           std::span<const PromotionEffects> spent, const PromotionEffects& wanted,
                           std::int64_t now_ns) {
  for (const auto& [budget, limit] : per_hour) {
    const std::int64_t amount = amount_of(wanted, budget);
    if (amount == 0) continue;
    if (amount > limit)
      return fail(fmt::format("the policy allows {} {} an hour, and this promotion alone has {}",
                              shown(budget, limit), budget, shown(budget, amount)),
                  ExitCode::kHalted, "promote it in parts (--only), or raise the budget in [limits]");
    std::int64_t used = 0;
    for (const PromotionEffects& one : spent)
      if (one.at_ns > now_ns - kBudgetWindowNs) used = plus(used, amount_of(one, budget));
    if (plus(used, amount) <= limit) continue;
    // There is room when enough of the oldest have left the window.
    std::int64_t left = used;
    std::int64_t room_ns = now_ns;
    for (const PromotionEffects& one : spent) {
      if (one.at_ns <= now_ns - kBudgetWindowNs) continue;
      if (plus(left, amount) <= limit) break;
      left -= amount_of(one, budget);
      room_ns = one.at_ns + kBudgetWindowNs;
    }
    return fail(fmt::format("the policy allows {} {} an hour: {} are used, this promotion has {}",
                            shown(budget, limit), budget, shown(budget, used), shown(budget, amount)),
                ExitCode::kHalted, "there is room at " + rfc3339(room_ns));
  }
  return {};
}

}  // namespace rehearse::promote
