// What of somebody else's a run keeps: objects and edits that stood where a promotion, its undoing or a
// rollback had to put another. They go with the run, so that nothing but a person may remove it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"

namespace rehearse::promote {

/// Writes down what it is and where (file `kept-aside` of the bundle, each ended by a NUL), durably. What is
/// written there already is not written again. Raw, as what kept_aside() gives back.
Result<void> note_kept(const ledger::Bundle& bundle, const std::vector<std::string>& lines);

/// The same in place of all that is written there.
Result<void> note_only_kept(const ledger::Bundle& bundle, const std::vector<std::string>& lines);

/// Empty if nothing is kept.
Result<std::vector<std::string>> kept_aside(const ledger::Bundle& bundle);

/// Mount points of filesystems that were away when what was prepared there had to go (file `left-behind`): it
/// goes with the run, if they are back then.
Result<void> note_left_behind(const ledger::Bundle& bundle, const std::string& mountpoint);
Result<std::vector<std::string>> left_behind(const ledger::Bundle& bundle);

}  // namespace rehearse::promote
