// What came of trying a run's rollback before it is needed: the ledger's table `undo_trials`, one row a run.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::ledger {

/// Replaces what was there of the run. `digest` is the run's.
Result<void> put_undo_trial(const StateDir& state, const std::string& run, const std::string& digest,
                            const report::UndoTrial& trial);
/// Of exactly this digest.
Result<std::optional<report::UndoTrial>> undo_trial_of(const StateDir& state, const std::string& run,
                                                       const std::string& digest);

}  // namespace rehearse::ledger
