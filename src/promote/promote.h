// One promotion as a whole: verify, compare, prepare, commit. The line of docs/promotion.md as code.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/decisions.h"
#include "ledger/state.h"
#include "promote/frozen_bundle.h"
#include "promote/operation_list.h"
#include "promote/preflight.h"
#include "promote/selection.h"
#include "promote/staleness.h"
#include "promote/unit_work.h"

namespace rehearse::promote {

struct Order {
  RunAtDigest run;
  Selection selection;
  StalenessRules staleness;  ///< the operator's; to them come the built-in ones and the policy's
  HeldOpen held_open = HeldOpen::kRefuse;
  UnitOrder units;
  bool dry_run = false;                   ///< everything but staging and renaming; needs no decision
  std::int64_t wait_ns = 10'000'000'000;  ///< for another promotion
  report::Requester who;
  /// Called now and then with what is being done and how far it is.
  /// How far it is: of `total`, if that is not 0.
  std::function<void(std::string_view phase, std::uint64_t count, std::uint64_t total)> progress;
};

/// What came of a promotion or rollback.
struct Outcome {
  std::string id;  ///< "RUN/N"; empty if it was not begun
  std::string run;
  std::string digest;  ///< "sha256:..."
  bool rollback = false;
  bool dry_run = false;
  ExitCode exit = ExitCode::kDone;
  std::string why;  ///< not done: the reason, one line
  std::string fix;
  std::string rest;  ///< a stale rollback: the words after `rehearse` that take back what has not changed
  std::string
      again;  ///< kStale: the words after `rehearse` that rehearse it anew; empty if they are not known
  Staleness staleness;
  std::vector<LeftOut> left_out;
  std::vector<std::string> notes;  ///< what preflight found and did not object to
  std::vector<Shown> operations;
  std::vector<ledger::UnitStep> units;  ///< what was, or would be, asked of the service manager
  std::vector<std::string> kept;        ///< somebody's edits that had to make room, and where they are
  /// When it was undone: what somebody had moved, replaced or removed meanwhile.
  std::vector<std::string> left_alone;
  std::vector<std::string> not_undone;
  std::int64_t decision = 0;
  std::string authority;        ///< what let it begin, one line
  std::int64_t started_ns = 0;  ///< CLOCK_REALTIME
  std::int64_t check_ns = 0;    ///< durations
  std::int64_t stage_ns = 0;
  std::int64_t commit_ns = 0;  ///< with making it durable
  std::int64_t window_ns = 0;  ///< from the first rename to the last
};

/// Errors: nothing of the host has changed, and there is nothing to report but one line. Everything else is
/// an Outcome: done (0), kDiverged (the files are promoted, a unit request failed), kStale and what moved,
/// kRolledBack, kRollbackIncomplete.
Result<Outcome> promote_run(const ledger::StateDir& state, const Order& order);

}  // namespace rehearse::promote
