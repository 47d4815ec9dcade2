// What the files of a run have to do with its unit requests: which go along where only a part is promoted,
// and which are for before the files go. Pure.
#pragma once

#include <span>
#include <vector>

#include "effects/change.h"
#include "ledger/unit_steps.h"

namespace rehearse::promote {

/// Leaves, with the reason, each pending step whose unit files are not all in the part. To a unit belong its
/// file, that of its template, its drop-ins and the links that enable it, as far as the run changed them. A
/// daemon-reload belongs to any unit file. What belongs to no unit file is about the whole run.
/// `taken[i]`: `changes[i]` is in the part.
void leave_other_parts(std::span<ledger::UnitStep> steps, std::span<const effects::Change> changes,
                       const std::vector<bool>& taken);

/// Puts first, in their order, what is to be asked while all files are still there: each pending stop of a
/// unit whose file goes and about which no step before it is. How many these are.
///
/// The manager runs ExecStop from what is on disk, and may know nothing of the unit any more later.
std::size_t put_early_stops(std::vector<ledger::UnitStep>& steps, std::span<const effects::Change> changes,
                            const std::vector<bool>& taken);

}  // namespace rehearse::promote
