// Why no person has to decide about a run: it could write nothing, it is of a class that the policy lets
// pass, or a person has approved all runs of its kind. The run was rehearsed and judged all the same.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "ledger/standing.h"
#include "promote/decision.h"
#include "promote/frozen_bundle.h"

namespace rehearse::promote {

struct Skip {
  std::string reason;      ///< why it passes, or empty
  std::int64_t grant = 0;  ///< that it passes by
  std::string why_not;     ///< what kept it from passing by something that might have let it
};

/// Empty: it was kept from writing and did not try, asked nothing of the service manager, talked to nobody
/// and tried nothing that only an administrator may; else which of these it is not. Pure.
std::string why_not_read_only(const report::RunRecord& record);
/// What makes a run that is not as filed another one than its action file speaks of.
std::string why_not_as_filed(const report::RunRecord& record);
/// Empty: all that it did is to files, which a trial of the way back speaks of; else what is not. Pure.
std::string what_stays(const FrozenBundle& frozen);

/// Tries the way back, or knows of a trial of it (undo_trial.h).
using TryUndo = std::function<Result<report::UndoTrial>()>;

/// Ends grants that this run shows to be out of date, and picks those that a person looks at all the same.
Result<Skip> find_skip(ledger::Standing& standing, const Matter& matter, const FrozenBundle& frozen,
                       const TryUndo& try_undo);

}  // namespace rehearse::promote
