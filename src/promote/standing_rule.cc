#include "promote/standing_rule.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace rehearse::promote {
namespace {

constexpr std::int64_t kDayNs = 86'400'000'000'000;

}  // namespace

Streak count_streak(std::span<const ledger::Print> prints, const ledger::Print& of,
                    const verdict::StandingTable& table, std::int64_t now_ns) {
  Streak streak;
  std::set<std::int64_t> days;
  for (const ledger::Print& print : prints) {
    if (print.action != of.action || print.created_ns > now_ns) continue;
    if (print.created_ns < now_ns - table.days * kDayNs) continue;
    if (!print.unclean.empty()) {
      streak = {};
      days.clear();
      continue;
    }
    if (print.digest != of.digest) continue;
    if (streak.runs != 0 && print.created_ns < streak.last_ns + kIndependentNs) continue;
    if (streak.runs == 0) streak.first_ns = print.created_ns;
    ++streak.runs;
    streak.last_ns = print.created_ns;
    streak.newest = print.run;
    days.insert(print.created_ns / kDayNs);
  }
  streak.days = static_cast<std::int64_t>(days.size());
  if (streak.runs < table.runs)
    streak.missing = fmt::format("{} of {} clean independent runs", streak.runs, table.runs);
  else if (streak.days < table.distinct_days)
    streak.missing = fmt::format("on {} of {} days", streak.days, table.distinct_days);
  return streak;
}

std::string confidence(std::int64_t runs) {
  if (runs <= 0) return "nothing is known of it";
  const double rate = 1.0 - std::pow(0.05, 1.0 / static_cast<double>(runs));
  return fmt::format("0 of {} failed: at most {:.1f} % of such runs do, at 95 %", runs, rate * 100.0);
}

}  // namespace rehearse::promote
