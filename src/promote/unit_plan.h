// From what a run asked of the service manager to what its promotion asks of the host's, and from that to
// what takes it back. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ledger/unit_steps.h"
#include "report/run_record.h"

namespace rehearse::promote {

/// One step for each request that would have changed something, in the order in which the action made them.
///
/// Edits of unit files are files, which are promoted as such: what is left of them is one daemon-reload.
/// Requests whose content is not on record (transient units, set-property, the manager's environment) and
/// those that are not spelled as a manager would take them come back as kLeft, with the reason. What ends the
/// system comes last.
std::vector<ledger::UnitStep> plan_unit_steps(std::span<const report::UnitRecord> asked);

/// What takes `done` (the steps of one promotion, as they ended) back, once the files are back: what was
/// started is stopped, then the manager reads its files anew, then what was stopped is started, and what was
/// restarted or reloaded is so again, where it still runs. A step that nothing takes back comes back as kLeft
/// and irreversible.
std::vector<ledger::UnitStep> plan_unit_undo(std::span<const ledger::UnitStep> done);

/// "restart web.service", "kill -s SIGHUP --kill-who=main web.service".
std::string line_of(const ledger::UnitStep& step);

}  // namespace rehearse::promote
