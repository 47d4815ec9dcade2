// Who may decide about a run, and which decisions let a promotion begin (docs/approval.md). Pure: what is
// known of people and policy is handed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/people.h"
#include "ledger/decisions.h"
#include "report/run_record.h"
#include "verdict/policy.h"

namespace rehearse::promote {

inline constexpr std::int64_t kApprovalTtlNs = 4 * 3'600'000'000'000;  ///< where the policy says nothing

/// A run that is to be decided about.
struct Matter {
  const report::RunRecord& record;
  const verdict::Policy& policy;  ///< in force now
  std::int64_t now_ns = 0;
};

/// Who is asking, as the kernel and the files of this host know them.
struct Decider {
  report::Requester who;
  bool attested = true;  ///< false: the person is known from the environment alone
  host::Person person;
};

using FindPerson = std::function<Result<host::Person>(std::uint32_t uid)>;

/// The person behind a requester: the login user if the kernel knows one, else who used sudo, else the user
/// itself.
std::uint32_t person_of(const report::Requester& requester);

/// A person at a terminal: units, sockets and programs without one may not decide, not even with no.
/// kNoPermission.
Result<void> may_decide(const report::Requester& who);
/// kTryLater if something in the ledger is later than now: what has expired cannot be told then.
Result<void> check_clock(const ledger::Decisions::Newest& newest, std::int64_t now_ns);
/// kStale if the run was judged by another policy than the one in force, kNotApproved if an exception that it
/// rests on has expired.
Result<void> check_policy(const Matter& matter);
/// kRed or kInconclusive if no approval can let the run pass.
Result<void> check_approvable(const Matter& matter);
/// The same of an override; kNoPermission if the policy has none.
Result<void> check_overridable(const Matter& matter);

/// kInconclusive if the run's list of changes lacks anything: what it did cannot be installed as it was.
Result<void> is_known_whole(const report::RunRecord& record);

/// kNoPermission says which rule keeps this person from it.
Result<void> may_approve(const Matter& matter, const Decider& decider);
Result<void> may_override(const Matter& matter, const Decider& decider);

/// A standing approval; kNoPermission also where the policy has no [standing].
Result<void> may_grant(const verdict::Policy& policy, const Decider& decider);

/// Who may approve the run, and for how long that holds, in a line for a report: "by 2 of operators, not the
/// requester; once, within 4 h"; or why nobody can.
std::string approval_rule(const Matter& matter);

/// How long an approval of this run may hold.
std::int64_t longest_approval(const Matter& matter);

/// What lets a promotion begin.
struct Passage {
  std::vector<std::int64_t> decisions;
  std::string reason;  ///< one line: "approved by ann, ben"
};

/// From all decisions about the run, oldest first: as many valid approvals of different people as the policy
/// wants, or an override. An approval counts if it is for this digest, these files and this policy, neither
/// used, expired, taken back nor followed by a rejection, and if the person may still give it.
Result<Passage> find_passage(const Matter& matter, const std::string& seal,
                             std::span<const ledger::Decision> decisions, const FindPerson& find_person);

/// What a promotion of the run uses up: all that could let another one begin, also what was approved by more
/// people than needed or by somebody who may not any more.
std::vector<std::int64_t> spent_by_promotion(std::span<const ledger::Decision> decisions,
                                             std::int64_t now_ns);

/// Some approval or override waits for a promotion: neither used, expired, taken back nor followed by a no.
bool is_decided_for(std::span<const ledger::Decision> decisions, std::int64_t now_ns);

/// Somebody has said no: whatever was said since, only people let the run pass, as many as the policy wants.
bool is_rejected(std::span<const ledger::Decision> decisions);

/// How long a run will wait for its approval: the median of how long the last ones did; nothing is known
/// without any.
inline constexpr std::size_t kWaitsCounted = 100;
std::optional<std::int64_t> forecast(std::vector<std::int64_t> waits);

/// Of all overrides and reviews, the newest override of a run whose id starts with `run` that nobody has
/// reviewed. kUsage if there is none, or the start is that of several runs.
Result<const ledger::Decision*> unreviewed_of(std::span<const ledger::Decision> all, const std::string& run);
bool is_reviewed(std::span<const ledger::Decision> all, const ledger::Decision& override_of);
/// Anybody at a terminal but who overrode.
Result<void> may_review(const ledger::Decision& override_of, const Decider& decider);

}  // namespace rehearse::promote
