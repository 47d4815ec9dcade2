#include "promote/decision.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/clock.h"
#include "base/units.h"
#include "host/identity.h"

namespace rehearse::promote {
namespace {

using ledger::Decision;
using ledger::Verb;

constexpr std::uint32_t kUnset = UINT32_MAX;  ///< loginuid of who never logged in
constexpr std::int64_t kClockSlackNs = 1'000'000'000;

bool is_service(const std::string& unit) {
  return unit.ends_with(".service") && !host::is_user_manager(unit);
}

const verdict::Approval* table_of(const Matter& matter) {
  const auto found = matter.policy.approvals.find(verdict::to_string(matter.record.verdict.level));
  return found == matter.policy.approvals.end() ? nullptr : &found->second;
}

std::string level_of(const Matter& matter) {
  return verdict::to_string(matter.record.verdict.level);
}

tl::unexpected<Error> refused(std::string why, std::string fix) {
  return fail(std::move(why), ExitCode::kNoPermission, std::move(fix));
}

std::string named(const report::RunRecord& record) {
  return record.id + "@" + record.digest.substr(0, 23);
}

/// Every uid that the requester may be. Who became root by sudo may have claimed to be somebody else, where
/// the kernel keeps no login user: then root itself is one of them.
bool is_requester(const report::Requester& requester, std::uint32_t person) {
  if (requester.loginuid && *requester.loginuid != kUnset) return *requester.loginuid == person;
  return requester.uid == person || requester.sudo_uid == person;
}

Result<void> in_role(const host::Person& person, const std::vector<std::string>& roles, const char* table) {
  const bool member = std::ranges::any_of(roles, [&](const std::string& role) {
    return std::ranges::find(person.groups, role) != person.groups.end();
  });
  if (member) return {};
  return refused(fmt::format("{} is in none of the groups that {} of the policy names: {}",
                             host::name_of(person), table, fmt::join(roles, ", ")),
                 "ask a member");
}

/// Whether the policy lets this person approve, whoever asks.
Result<void> fits(const Matter& matter, const host::Person& person) {
  const report::Requester& requester = matter.record.requester;
  const verdict::Approval* table = table_of(matter);
  if (table == nullptr) {
    const std::uint32_t owner = person_of(requester);
    if (person.uid == owner) return {};
    return refused(fmt::format("the run was requested by uid {}, you are uid {}", owner, person.uid),
                   "without a policy a person decides about runs of their own only");
  }
  RH_CHECK(in_role(person, table->roles, ("[approval." + level_of(matter) + "]").c_str()));
  if (table->not_requester && !requester.attested)
    return refused(
        "who requested the run is known from SUDO_UID alone, which anybody can set: it may be " +
            host::name_of(person),
        "[approval." + level_of(matter) + "] of the policy says not_requester: rehearse it again, logged in");
  if (table->not_requester && is_requester(requester, person.uid))
    return refused(host::name_of(person) + " requested the run: somebody else has to approve it",
                   "[approval." + level_of(matter) + "] of the policy says not_requester");
  return {};
}

Result<void> attested(const Decider& decider) {
  if (decider.attested) return {};
  return refused("who you are is known from SUDO_UID alone, which anybody can set",
                 "log in as yourself and use sudo");
}

/// Of the findings that decide, the first one that nobody may pass over.
const verdict::Finding* hard_finding(const Matter& matter, verdict::Level least) {
  const auto& findings = matter.record.verdict.findings;
  const auto found = std::ranges::find_if(findings, [&](const verdict::Finding& finding) {
    return finding.decides() && finding.enforce == "hard" && finding.level >= least;
  });
  return found == findings.end() ? nullptr : &*found;
}

/// Why a decision that would let the run pass does not; empty: it does.
std::string void_because(const Decision& decision, const Matter& matter) {
  const char* what = decision.verb == Verb::kOverridden ? "override" : "approval";
  if (!decision.used_by.empty()) return fmt::format("its {} was used by {}", what, decision.used_by);
  if (decision.expires_ns != 0 && decision.expires_ns <= matter.now_ns)
    return fmt::format("its {} expired at {}", what, rfc3339(decision.expires_ns));
  if (decision.digest != matter.record.digest) return fmt::format("its {} is for another digest", what);
  if (decision.policy != matter.policy.digest)
    return fmt::format("its {} was made under another policy", what);
  return {};
}

/// Decisions that were neither taken back by their person nor followed by a rejection.
std::vector<const Decision*> open_ones(std::span<const Decision> decisions) {
  std::vector<const Decision*> open;
  for (const Decision& decision : decisions) {
    if (decision.verb == Verb::kRejected) open.clear();
    if (decision.verb == Verb::kRevoked)
      std::erase_if(open, [&](const Decision* one) { return one->person == decision.person; });
    if (decision.verb == Verb::kApproved || decision.verb == Verb::kOverridden) open.push_back(&decision);
  }
  return open;
}

std::string why_nothing_is_open(std::span<const Decision> decisions, const std::string& run) {
  if (decisions.empty()) return "run " + run + " is not approved";
  const Decision& last = decisions.back();
  const char* word = last.verb == Verb::kRejected  ? "it was rejected at "
                     : last.verb == Verb::kRevoked ? "its approval was taken back at "
                                                   : nullptr;
  if (word == nullptr) return "run " + run + " is not approved";
  return "run " + run + ": " + word + rfc3339(last.created_ns) + ": " + last.reason;
}

}  // namespace

std::uint32_t person_of(const report::Requester& requester) {
  if (requester.loginuid && *requester.loginuid != kUnset) return *requester.loginuid;
  return requester.sudo_uid.value_or(requester.uid);
}

Result<void> may_decide(const report::Requester& who) {
  if (who.unit && is_service(*who.unit))
    return refused("the unit " + *who.unit + " may not decide about a run", "a person at a terminal has to");
  if (!who.tty)
    return refused("only a person at a terminal may decide about a run", "run this in a terminal");
  return {};
}

Result<void> is_known_whole(const report::RunRecord& record) {
  if (record.changes_unobserved.empty()) return {};
  return fail("run " + record.id + " changed more than could be read: " + record.changes_unobserved.front(),
              ExitCode::kInconclusive,
              "what it did cannot be promoted as it was; see: rehearse show " + record.id);
}

Result<void> check_clock(const ledger::Decisions::Newest& newest, std::int64_t now_ns) {
  if (newest.ns <= now_ns + kClockSlackNs) return {};
  return fail(fmt::format("the clock says {}, but {} is of {}: what has expired cannot be told",
                          rfc3339(now_ns), newest.what, rfc3339(newest.ns)),
              ExitCode::kTryLater, "set the clock right and try again");
}

Result<void> check_policy(const Matter& matter) {
  const verdict::Verdict& verdict = matter.record.verdict;
  if (verdict.policy_digest != matter.policy.digest)
    return fail(fmt::format("run {} was judged by policy {}, in force is {}", matter.record.id,
                            verdict.policy_digest.empty() ? "none" : verdict.policy_digest.substr(0, 23),
                            matter.policy.digest.substr(0, 23)),
                ExitCode::kStale, "rehearse again");
  for (const verdict::AppliedException& applied : verdict.exceptions) {
    if (!applied.refused.empty()) continue;
    const auto found = std::ranges::find_if(matter.policy.exceptions, [&](const verdict::Exception& one) {
      return one.rule == applied.rule && one.owner == applied.owner && one.reason == applied.reason &&
             one.expires == applied.expires;
    });
    if (found == matter.policy.exceptions.end() || found->expires_ns <= matter.now_ns)
      return fail(fmt::format("run {} rests on an exception of {} to {} that expired on {}", matter.record.id,
                              applied.owner, applied.rule, applied.expires),
                  ExitCode::kNotApproved, "rehearse again");
  }
  return {};
}

Result<void> check_approvable(const Matter& matter) {
  const std::string fix = "see: rehearse show " + matter.record.id;
  if (const auto* hard = hard_finding(matter, verdict::Level::kRed))
    return fail("run " + matter.record.id + " is red by " + hard->rule + ", which nobody may pass over",
                ExitCode::kRed, fix);
  if (table_of(matter) != nullptr) return {};
  if (matter.record.verdict.level == verdict::Level::kRed)
    return fail("run " + matter.record.id + " is red: policy blocks it", ExitCode::kRed, fix);
  if (matter.record.verdict.level == verdict::Level::kInconclusive)
    return fail("run " + matter.record.id + " is inconclusive: what it would do is not known well enough",
                ExitCode::kInconclusive, fix);
  return {};
}

Result<void> check_overridable(const Matter& matter) {
  if (!matter.policy.overriding)
    return refused("the policy lets nobody override: it has no [override]",
                   "have the run approved: rehearse approve " + named(matter.record) + " --reason ...");
  const std::string fix = "see: rehearse show " + matter.record.id;
  if (const auto* hard = hard_finding(matter, verdict::Level::kYellow))
    return fail("run " + matter.record.id + ": " + hard->rule + " is enforced hard: nobody may override it",
                ExitCode::kRed, fix);
  if (matter.record.verdict.level == verdict::Level::kInconclusive)
    return fail("run " + matter.record.id +
                    " is inconclusive: an override stands for the approval, not for the rehearsal",
                ExitCode::kInconclusive, fix);
  return {};
}

Result<void> may_approve(const Matter& matter, const Decider& decider) {
  RH_CHECK(may_decide(decider.who));
  if (table_of(matter) != nullptr) RH_CHECK(attested(decider));
  return fits(matter, decider.person);
}

Result<void> may_override(const Matter& matter, const Decider& decider) {
  RH_CHECK(check_overridable(matter));
  RH_CHECK(may_decide(decider.who));
  RH_CHECK(attested(decider));
  return in_role(decider.person, matter.policy.overriding->roles, "[override]");
}

Result<void> may_grant(const verdict::Policy& policy, const Decider& decider) {
  if (!policy.standing)
    return refused("the policy lets nobody approve runs to come: it has no [standing]", "approve each run");
  RH_CHECK(may_decide(decider.who));
  RH_CHECK(attested(decider));
  return in_role(decider.person, policy.standing->roles, "[standing]");
}

std::string approval_rule(const Matter& matter) {
  if (const auto approvable = check_approvable(matter); !approvable) return approvable.error().what;
  const verdict::Approval* table = table_of(matter);
  const std::string once = "; once, within " + format_duration(longest_approval(matter));
  if (table == nullptr)
    return fmt::format("by who asked for the run (uid {}){}", person_of(matter.record.requester), once);
  return fmt::format("by {} of {}{}{}", table->need, fmt::join(table->roles, ", "),
                     table->not_requester ? ", not by the requester" : "", once);
}

std::int64_t longest_approval(const Matter& matter) {
  const verdict::Approval* table = table_of(matter);
  return table != nullptr && table->ttl_ns != 0 ? table->ttl_ns : kApprovalTtlNs;
}

Result<Passage> find_passage(const Matter& matter, const std::string& seal,
                             std::span<const Decision> decisions, const FindPerson& find_person) {
  const report::RunRecord& record = matter.record;
  const auto open = open_ones(decisions);
  // Before anything that is read from the files is believed.
  for (const Decision* decision : open)
    if (decision->used_by.empty() && decision->digest == record.digest && decision->seal != seal)
      return fail("run " + record.id + ": its files are not those that were approved", ExitCode::kDataError,
                  "rehearse again");
  RH_CHECK(check_policy(matter));
  std::string why;
  std::string fix = "decide: rehearse approve " + named(record) + " --reason ...";
  Passage approvals;
  std::vector<std::uint32_t> people;
  std::string names;
  for (const Decision* decision : open) {
    why = void_because(*decision, matter);
    if (!why.empty()) continue;
    RH_TRY(const host::Person person, find_person(decision->person));
    if (decision->verb == Verb::kOverridden) {
      RH_CHECK(check_overridable(matter));
      if (const auto still = in_role(person, matter.policy.overriding->roles, "[override]"); !still) {
        why = "its override does not count: " + still.error().what;
        continue;
      }
      return Passage{{decision->id}, "overridden by " + host::name_of(person) + ": " + decision->reason};
    }
    if (const auto still = fits(matter, person); !still) {
      why = "its approval does not count: " + still.error().what;
      continue;
    }
    approvals.decisions.push_back(decision->id);
    if (std::ranges::find(people, person.uid) != people.end()) continue;
    people.push_back(person.uid);
    names += (names.empty() ? "" : ", ") + host::name_of(person);
  }
  RH_CHECK(check_approvable(matter));
  const verdict::Approval* table = table_of(matter);
  const auto need = static_cast<std::size_t>(table == nullptr ? 1 : table->need);
  if (people.size() >= need) {
    approvals.reason = "approved by " + names;
    return approvals;
  }
  if (open.empty()) return fail(why_nothing_is_open(decisions, record.id), ExitCode::kNotApproved, fix);
  if (!people.empty())
    return fail(fmt::format("run {} is approved by {} ({}), the policy wants {} people", record.id,
                            people.size(), names, need),
                ExitCode::kNotApproved, fix);
  return fail("run " + record.id + ": " + why, ExitCode::kNotApproved, fix);
}

std::vector<std::int64_t> spent_by_promotion(std::span<const Decision> decisions, std::int64_t now_ns) {
  std::vector<std::int64_t> spent;
  for (const Decision* decision : open_ones(decisions)) {
    const bool expired = decision->expires_ns != 0 && decision->expires_ns <= now_ns;
    if (decision->used_by.empty() && !expired) spent.push_back(decision->id);
  }
  return spent;
}

bool is_decided_for(std::span<const Decision> decisions, std::int64_t now_ns) {
  return !spent_by_promotion(decisions, now_ns).empty();
}

bool is_rejected(std::span<const Decision> decisions) {
  return std::ranges::any_of(decisions,
                             [](const Decision& decision) { return decision.verb == Verb::kRejected; });
}

std::optional<std::int64_t> forecast(std::vector<std::int64_t> waits) {
  if (waits.empty()) return std::nullopt;
  const auto middle = waits.begin() + static_cast<std::ptrdiff_t>(waits.size() / 2);
  std::ranges::nth_element(waits, middle);
  return *middle;
}

bool is_reviewed(std::span<const Decision> all, const Decision& override_of) {
  return std::ranges::any_of(
      all, [&](const Decision& one) { return one.verb == Verb::kReviewed && one.about == override_of.id; });
}

Result<const Decision*> unreviewed_of(std::span<const Decision> all, const std::string& run) {
  const Decision* found = nullptr;
  for (const Decision& one : all) {
    if (one.verb != Verb::kOverridden || !one.run.starts_with(run) || is_reviewed(all, one)) continue;
    if (found != nullptr && found->run != one.run)
      return fail("\"" + run.substr(0, 80) + "\" is the start of several runs with overrides",
                  ExitCode::kUsage, "write more of it");
    found = &one;
  }
  if (found == nullptr)
    return fail("no override of run \"" + run.substr(0, 80) + "\" awaits review", ExitCode::kUsage,
                "see: rehearse list --overrides");
  return found;
}

Result<void> may_review(const Decision& override_of, const Decider& decider) {
  RH_CHECK(may_decide(decider.who));
  RH_CHECK(attested(decider));
  if (override_of.person != decider.person.uid) return {};
  return refused(host::name_of(decider.person) + " overrode run " + override_of.run + " and cannot review it",
                 "somebody else has to");
}

}  // namespace rehearse::promote
