// Who makes a decision on the command line, and what it is about: shared by approve, reject, revoke,
// override, review and standing.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/verbs.h"
#include "ledger/decisions.h"
#include "ledger/state.h"
#include "promote/decision.h"
#include "promote/frozen_bundle.h"
#include "report/run_record.h"
#include "verdict/policy.h"

namespace rehearse::cli {

/// The person behind this process, as the kernel and the files of this host know them.
Result<promote::Decider> this_decider();

/// `length` from `ns` on; never later than the latest time there is.
std::int64_t later(std::int64_t ns, std::int64_t length);

/// kUsage unless it is 1 to 4096 bytes.
Result<void> check_reason(const std::string& reason);

/// A run to be decided about, with the policy in force and the ledger. The clock has been checked.
struct Desk {
  promote::FrozenBundle frozen;
  verdict::Policy policy;
  ledger::Decisions decisions;
  promote::Decider decider;
  std::int64_t now_ns = 0;

  [[nodiscard]] promote::Matter matter() const { return {frozen.record, policy, now_ns}; }
  /// A decision of this person about this run, now.
  [[nodiscard]] ledger::Decision begin(ledger::Verb verb, const std::string& reason) const;
};
Result<Desk> open_desk(const ledger::StateDir& state, const std::string& run_at_digest);

/// The decision as text or JSON (schema "rehearse.decision/1"); `line` is what is said to a person. `trial`:
/// of the way back, if it was tried. `note`: what is to be known of it besides, raw.
Result<int> print_decision(const Globals& globals, const ledger::Decision& decision, const std::string& line,
                           const report::UndoTrial* trial = nullptr, const std::string& note = {});

}  // namespace rehearse::cli
