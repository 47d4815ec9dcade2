// Which operations of a promotion are in effect: those that no later rollback has taken back or given up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/journal.h"

namespace rehearse::promote {

/// What makes an operation of a promotion known again in the journal of the rollback that took it back, where
/// it is inverted.
std::string mark_of(const Operation& operation, bool inverted);

/// A directory's time that is set to what it was: done again as often as need be, and nothing by itself.
bool keeps_time(const Operation& operation);

/// Of each operation of the promotion. `numbers`: all journals that are kept with the run. `latest`: one that
/// is over and not kept yet.
Result<std::vector<bool>> find_in_effect(const ledger::Bundle& bundle, const Journal& promotion,
                                         std::span<const std::uint32_t> numbers,
                                         const Journal* latest = nullptr);

/// Any is that is more than a time that was kept.
bool has_files(const Journal& promotion, const std::vector<bool>& in_effect);

/// Any operation of any promotion of the run is.
Result<bool> is_in_effect(const ledger::Bundle& bundle);

/// "RUN/N" of a promotion of the whole run of which everything is; empty if there is none.
Result<std::string> find_whole_in_effect(const ledger::Bundle& bundle);

}  // namespace rehearse::promote
