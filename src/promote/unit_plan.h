// From what a run asked of the service manager to what its promotion asks of the host's. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/unit_steps.h"
#include "report/run_record.h"

namespace rehearse::promote {

/// One step for each request that would have changed something, in the order in which the action made them.
///
/// Edits of unit files are files, which are promoted as such: what is left of them is one daemon-reload,
/// before the first job after them that is not a stop, or at the end. Requests whose content is not on record
/// (transient units, set-property, the manager's environment) and those that are not spelled as a manager
/// would take them come back as kLeft, with the reason. What ends the system comes last.
std::vector<ledger::UnitStep> plan_unit_steps(std::span<const report::UnitRecord> asked);

/// The units whose state carrying out `steps` may change, by the names that the action used: those that the
/// steps are about, and those that followed in the rehearsal. What depends on another comes after it.
std::vector<std::string> concerned_units(std::span<const ledger::UnitStep> steps);

/// One that no action has made.
ledger::UnitStep request(std::string_view verb, const std::string& unit);

/// start, stop, restart, ...: what the manager makes a job of.
bool is_job(const ledger::UnitStep& step);
/// A job that brings up a unit which is not.
bool is_start(const ledger::UnitStep& step);
/// An ActiveState with processes, or with what they have set up.
bool is_up(std::string_view state);

/// "restart web.service", "kill -s SIGHUP --kill-who=main web.service".
std::string line_of(const ledger::UnitStep& step);

}  // namespace rehearse::promote
