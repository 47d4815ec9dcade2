// What the ledger knows of other runs of the same action, also of those whose bundles are gone.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::ledger {

/// Nothing if the ledger has no fingerprint of the run, or if there is no other run of its template.
Result<std::optional<report::History>> history_of(const StateDir& state, const std::string& run);

}  // namespace rehearse::ledger
