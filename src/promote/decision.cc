#include "promote/decision.h"

#include <fmt/format.h>

#include "base/clock.h"

namespace rehearse::promote {
namespace {

constexpr std::uint32_t kUnset = UINT32_MAX;  ///< loginuid of who never logged in

bool is_service(const std::string& unit) {
  return unit.ends_with(".service") && !unit.starts_with("user@");
}

}  // namespace

std::uint32_t person_of(const report::Requester& requester) {
  if (requester.loginuid && *requester.loginuid != kUnset) return *requester.loginuid;
  return requester.sudo_uid.value_or(requester.uid);
}

Result<void> may_decide(const report::Requester& who, const report::Requester& requester_of_run) {
  if (who.unit && is_service(*who.unit))
    return fail("the unit " + *who.unit + " may not decide about a run", ExitCode::kNoPermission,
                "a person at a terminal has to");
  if (!who.tty)
    return fail("only a person at a terminal may decide about a run", ExitCode::kNoPermission,
                "run this in a terminal");
  const std::uint32_t person = person_of(who);
  const std::uint32_t owner = person_of(requester_of_run);
  if (person != owner)
    return fail(fmt::format("the run was requested by uid {}, you are uid {}", owner, person),
                ExitCode::kNoPermission, "without a policy a person decides about runs of their own only");
  return {};
}

Result<void> is_known_whole(const report::RunRecord& record) {
  if (record.changes_unobserved.empty()) return {};
  return fail("run " + record.id + " changed more than could be read: " + record.changes_unobserved.front(),
              ExitCode::kInconclusive,
              "what it did cannot be promoted as it was; see: rehearse show " + record.id);
}

Result<ledger::Decision> valid_decision(ledger::Decisions& decisions, const std::string& run,
                                        const std::string& digest, const Sha256& seal, std::int64_t now_ns) {
  RH_TRY(const auto all, decisions.of_run(run));
  const std::string fix = "decide: rehearse approve " + run + "@" + digest.substr(0, 23) + " --reason ...";
  if (all.empty()) return fail("run " + run + " is not approved", ExitCode::kNotApproved, fix);
  const ledger::Decision& last = all.back();
  const auto refuse = [&](std::string why) {
    return fail("run " + run + ": " + std::move(why), ExitCode::kNotApproved, fix);
  };
  if (last.verb == ledger::Verb::kRejected)
    return refuse("it was rejected at " + rfc3339(last.created_ns) + ": " + last.reason);
  if (!last.used_by.empty()) return refuse("its approval was used by " + last.used_by);
  if (last.expires_ns <= now_ns) return refuse("its approval expired at " + rfc3339(last.expires_ns));
  if (last.digest != digest) return refuse("its approval is for another digest");
  if (last.seal != hex(seal))
    return fail("run " + run + ": its files are not those that were approved", ExitCode::kDataError,
                "rehearse again");
  return last;
}

}  // namespace rehearse::promote
