#include "promote/authority.h"

#include <algorithm>

#include "base/clock.h"
#include "ledger/standing.h"
#include "promote/decision.h"
#include "promote/skip.h"
#include "promote/undo_trial.h"
#include "verdict/policy_set.h"

namespace rehearse::promote {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

namespace {

/// The record of a promotion that no person decided about.
ledger::Decision skipped(const FrozenBundle& frozen, const Skip& skip, const Matter& matter,
                         const report::Requester& who) {
  ledger::Decision decision;
  decision.run = frozen.record.id;
  decision.digest = frozen.record.digest;
  decision.seal = hex(frozen.seal);
  decision.policy = matter.policy.digest;
  decision.verb = ledger::Verb::kSkipped;
  decision.who = who;
  decision.person = person_of(who);
  decision.reason = skip.reason;
  decision.created_ns = matter.now_ns;
  decision.about = skip.grant;
  return decision;
}

}  // namespace

Result<Authority> find_authority(const ledger::StateDir& state, ledger::Decisions& decisions,
                                 const FrozenBundle& frozen, const report::Requester& who,
                                 std::int64_t now_ns) {
  Authority authority;
  RH_TRY(authority.policy, verdict::load_policy({}));
  RH_TRY(const auto newest, decisions.newest());
  RH_CHECK(check_clock(newest, now_ns));
  RH_TRY(const auto all, decisions.of_run(frozen.record.id));
  if (!all.empty()) authority.newest_seen = all.back().id;
  authority.spends = spent_by_promotion(all, now_ns);
  const Matter matter{frozen.record, authority.policy, now_ns};
  auto passage = find_passage(matter, hex(frozen.seal), all, host::find_person);
  if (passage) {
    authority.decisions = std::move(passage->decisions);
    authority.reason = std::move(passage->reason);
    return authority;
  }
  if (passage.error().exit != ExitCode::kNotApproved || is_rejected(all))
    return tl::make_unexpected(std::move(passage).error());
  RH_CHECK(check_policy(matter));
  RH_TRY(ledger::Standing standing, ledger::Standing::open(state));
  const TryUndo try_undo = [&] { return known_undo(state, frozen); };
  RH_TRY(const Skip skip, find_skip(standing, matter, frozen, try_undo));
  if (skip.reason.empty()) {
    Error error = std::move(passage).error();
    if (!skip.why_not.empty()) error.what += " (" + skip.why_not + ")";
    return tl::make_unexpected(std::move(error));
  }
  authority.skip = skipped(frozen, skip, matter, who);
  authority.reason = skip.reason;
  return authority;
}

namespace {

bool writes(const Change& change) {
  if (change.type != FileType::kFile || !change.after) return false;
  if (change.kind == ChangeKind::kCreated || change.kind == ChangeKind::kModified ||
      change.kind == ChangeKind::kType)
    return true;
  return std::ranges::find(change.also, "modified") != change.also.end();
}

bool restarts(const std::string& request) {
  return request.find("restart") != std::string::npos;
}

}  // namespace

ledger::PromotionEffects effects_of(const FrozenBundle& frozen, const std::vector<bool>& taken,
                                    std::int64_t now_ns) {
  ledger::PromotionEffects effects;
  effects.at_ns = now_ns;
  for (std::size_t i = 0; i < frozen.changes.size(); ++i) {
    const Change& change = frozen.changes[i];
    if (!taken[i] || change.kind == ChangeKind::kIdentical) continue;
    ++effects.changes;
    if (change.kind == ChangeKind::kDeleted) ++effects.deletes;
    if (writes(change))
      effects.bytes_written += static_cast<std::int64_t>(std::min<std::uint64_t>(
          change.after->size, static_cast<std::uint64_t>(INT64_MAX - effects.bytes_written)));
  }
  for (const report::UnitRecord& unit : frozen.record.units) {
    if (!unit.changes()) continue;
    if (restarts(unit.request)) effects.units_restarted += static_cast<std::int64_t>(unit.count);
    effects.units_restarted += std::ranges::count_if(unit.also, restarts);
  }
  return effects;
}

Result<void> learn_from(const ledger::StateDir& state, const Authority& authority, ExitCode exit,
                        const std::string& why) {
  if (!authority.skip || authority.skip->about == 0 || exit == ExitCode::kDone || exit == ExitCode::kStale)
    return {};
  RH_TRY(ledger::Standing standing, ledger::Standing::open(state));
  RH_TRY(const auto grants, standing.grants());
  const auto grant = std::ranges::find(grants, authority.skip->about, &ledger::Grant::id);
  if (grant == grants.end()) return {};
  return standing.end(*grant, "promoting run " + authority.skip->run + " diverged: " + why, {}, 0,
                      realtime_ns());
}

}  // namespace rehearse::promote
