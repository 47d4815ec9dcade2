// From what a promotion asked of the service manager, and where the units were, to what takes it back. Pure.
#pragma once

#include <span>
#include <vector>

#include "ledger/unit_steps.h"

namespace rehearse::promote {

/// What takes `done` (the steps of one promotion, as they ended) back: what came up is stopped, while its
/// files are still there; then, when the files are back, the manager reads them anew, what has failed since
/// is as if it had not, what went down is started, and what was restarted or reloaded is so again, where it
/// still runs. What nothing takes back comes back as kLeft and irreversible.
///
/// `states`: where the units were that the steps were about, and those that followed them. Without any (of a
/// promotion that has kept none) it goes by the steps alone.
std::vector<ledger::UnitStep> plan_unit_undo(std::span<const ledger::UnitStep> done,
                                             std::span<const ledger::UnitState> states);

/// How many of `steps` come first and are stops.
std::size_t leading_stops(std::span<const ledger::UnitStep> steps);

}  // namespace rehearse::promote
