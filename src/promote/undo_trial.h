// The way back, tried before it is needed: a promotion of the run and its rollback, through the same plan,
// binding and transaction, on a stand-in of what the run changed (scratch_layer.h). Nothing of the host is
// touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/frozen_bundle.h"
#include "report/run_record.h"

namespace rehearse::promote {

/// Never an error: what stands against it is its result.
report::UndoTrial try_undo(const FrozenBundle& frozen);

/// The same, made once: what the ledger has of a trial that verified this digest, else a new one, which it
/// keeps.
Result<report::UndoTrial> known_undo(const ledger::StateDir& state, const FrozenBundle& frozen);

/// A trial that has not been made: what is known without one. kDataError if the manifest is damaged.
Result<report::UndoTrial> untried_undo(const report::RunRecord& record, int manifest_fd);

/// What no rollback of this run takes back, a line each.
std::vector<std::string> irreversible(const report::RunRecord& record,
                                      const std::vector<std::string>& changed_mounts);

}  // namespace rehearse::promote
