#include "promote/skip.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace rehearse::promote {
namespace {

using verdict::Level;

bool asks_units(const report::RunRecord& record) {
  return std::ranges::any_of(record.units, [](const report::UnitRecord& unit) { return unit.changes(); });
}

bool reached_somebody(const report::RunRecord& record) {
  return std::ranges::any_of(record.network,
                             [](const report::NetworkRecord& to) { return to.verdict == "passed"; });
}

bool tried_more_than_to_look(const report::RunRecord& record) {
  std::uint64_t looks = 0;
  for (const report::AttemptRecord& attempt : record.attempts)
    looks += attempt.what == "look" ? attempt.count : 0;
  return record.attempts_total > looks;
}

bool in_memory(const report::RunRecord& record, std::uint32_t layer) {
  return std::ranges::any_of(record.layers, [&](const report::LayerRecord& one) {
    return one.index == layer && (one.fstype == "tmpfs" || one.fstype == "ramfs");
  });
}

/// True: the grant lets the run pass; else `why_not` may be said.
Result<bool> passes(ledger::Standing& standing, const Matter& matter, const ledger::Grant& grant,
                    const ledger::Print& print, std::string& why_not) {
  const auto end = [&](const std::string& why) -> Result<bool> {
    why_not = fmt::format("standing approval {} was ended: {}", grant.id, why);
    RH_CHECK(standing.end(grant, "by run " + print.run + ": " + why, {}, 0, matter.now_ns));
    return false;
  };
  if (grant.policy != matter.policy.digest) return end("the policy has changed");
  RH_TRY(const auto granted, standing.lines(grant.envelope));
  RH_TRY(const auto done, standing.lines(print.envelope));
  if (const std::string why = ledger::departure(granted, done); !why.empty()) return end(why);
  if (!print.unclean.empty()) {
    why_not = fmt::format("standing approval {} is for clean runs: {}", grant.id, print.unclean);
    return false;
  }
  if (!matter.policy.standing) return false;
  const std::int64_t resample = matter.policy.standing->resample;
  const auto asked = static_cast<std::int64_t>(grant.resampled.size());
  const bool again = std::ranges::find(grant.resampled, print.run) != grant.resampled.end();
  if (again || (grant.uses + asked + 1) % resample == 0) {
    why_not = fmt::format("standing approval {} covers it, but a person is asked for one in {}", grant.id,
                          resample);
    if (!again) RH_CHECK(standing.resample(grant, print.run, matter.now_ns));
    return false;
  }
  return true;
}

/// Empty: the way back was tried, and leads back to all there was.
Result<std::string> why_irreversible(const FrozenBundle& frozen, const TryUndo& try_undo) {
  if (std::string stays = what_stays(frozen); !stays.empty()) return stays;
  RH_TRY(const report::UndoTrial trial, try_undo());
  if (!trial.verified) return "its rollback failed on a stand-in: " + trial.why;
  return trial.irreversible.empty() ? std::string() : trial.irreversible.front();
}

Result<Skip> find_grant(ledger::Standing& standing, const Matter& matter) {
  Skip skip;
  RH_TRY(const auto print, standing.of_run(matter.record.id));
  if (!print) return skip;
  RH_TRY(const auto grants, standing.grants());
  for (const ledger::Grant& grant : grants) {
    if (grant.action != print->action) continue;
    if (!grant.holds(matter.now_ns)) {
      skip.why_not = fmt::format("standing approval {} {}", grant.id,
                                 grant.ended.empty() ? "has expired" : "was ended: " + grant.ended);
      continue;
    }
    RH_TRY(const bool passed, passes(standing, matter, grant, *print, skip.why_not));
    if (passed) return Skip{fmt::format("standing approval {}: {}", grant.id, grant.reason), grant.id, {}};
  }
  return skip;
}

}  // namespace

std::string why_not_read_only(const report::RunRecord& record) {
  const auto& enforced = record.read_only;
  if (!enforced) return "it was rehearsed without --read-only";
  if (enforced->attempts_total != 0) return "it tried to write";
  if (!enforced->proved()) return "whether it tried to write was not recorded";
  if (record.counts.total() != 0) return fmt::format("it wrote to {} files", record.counts.total());
  if (asks_units(record)) return "it asked the service manager for something";
  if (tried_more_than_to_look(record)) return "it tried what only an administrator may";
  for (const report::NetworkRecord& to : record.network)
    if (to.verdict == "passed" || to.verdict == "mocked" || to.verdict == "replayed")
      return "it talked to " + (to.name.empty() ? to.dst : to.name);
  return {};
}

std::string why_not_as_filed(const report::RunRecord& record) {
  const auto& by = record.action.changed_by;
  return by.empty() ? "whether this is it was not recorded" : fmt::format("not {}", fmt::join(by, ", "));
}

std::string what_stays(const FrozenBundle& frozen) {
  const report::RunRecord& record = frozen.record;
  if (asks_units(record)) return "what it asked of the service manager";
  if (reached_somebody(record)) return "what it sent out";
  if (tried_more_than_to_look(record)) return "what only an administrator may";
  for (const effects::Change& change : frozen.changes) {
    if (change.masked) return change.path + ", which was hidden from it";
    if (in_memory(record, change.layer)) return change.path + ", which is in memory";
  }
  return {};
}

Result<Skip> find_skip(ledger::Standing& standing, const Matter& matter, const FrozenBundle& frozen,
                       const TryUndo& try_undo) {
  const verdict::SkipTable& table = matter.policy.skip;
  const Level level = matter.record.verdict.level;
  Skip skip;
  if (level == Level::kGreen && table.read_only) {
    const std::string why_not = why_not_read_only(matter.record);
    if (why_not.empty()) return Skip{"read-only: it could write nothing, and did not try", 0, {}};
    skip.why_not = "it is not read-only: " + why_not;
  }
  const std::string kind = matter.record.action.kind.value_or("");
  const bool named = std::ranges::find(table.classes, kind) != table.classes.end();
  if (level == Level::kGreen && named && !kind.empty() && !matter.record.action.as_filed) {
    skip.why_not =
        "class " + kind + " passes only what an action file says: " + why_not_as_filed(matter.record);
  } else if (level == Level::kGreen && named && !kind.empty()) {
    RH_TRY(const std::string stays, why_irreversible(frozen, try_undo));
    if (stays.empty()) return Skip{"class " + kind + ": green, and the way back was tried", 0, {}};
    skip.why_not = "class " + kind + " passes only what can be taken back: " + stays;
  }
  if (level != Level::kGreen && level != Level::kYellow) return skip;
  RH_TRY(Skip granted, find_grant(standing, matter));
  if (granted.reason.empty() && granted.why_not.empty()) return skip;
  return granted;
}

}  // namespace rehearse::promote
