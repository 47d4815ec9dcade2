// What the ledger has of runs, as the report shows it, and the list of overrides.
#pragma once

#include <span>
#include <string>

#include "ledger/decisions.h"
#include "report/decision_text.h"

namespace rehearse::cli {

/// With the names that the persons have here now.
report::DecisionRecord decision_record(const ledger::Decision& decision);
/// Of a ledger that cannot be read there is nothing: the run's own files are there all the same.
/// Of what the run did, or a part of it, the host has now.
bool is_promoted(const ledger::StateDir& state, const std::string& run);

report::Decided decided_about(const ledger::StateDir& state, const std::string& run);

/// Overrides with what came of them: "reviewed", "awaits review" or "OVERDUE". The document's schema is
/// "rehearse.overrides/1".
std::string overrides_text(std::span<const ledger::Decision> all, std::int64_t now_ns);
std::string overrides_json(std::span<const ledger::Decision> all, std::int64_t now_ns);

/// "ann (uid 1001)".
std::string person_text(std::uint32_t uid);

}  // namespace rehearse::cli
