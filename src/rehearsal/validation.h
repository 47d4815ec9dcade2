// Validators of the configuration that an action changed: each runs in a sandbox of its own when the action
// has ended, over the host with the changes, and where it says no, once more over the host as it was. What it
// writes is thrown away with the sandbox.
#pragma once

#include <vector>

#include "ledger/state.h"
#include "rehearsal/validators.h"
#include "report/run_record.h"
#include "sandbox/plan.h"
#include "verdict/failure.h"

namespace rehearse {

/// Where and as what they run. All borrowed.
struct ValidationPlace {
  const ledger::StateDir* state = nullptr;
  const ledger::Bundle* bundle = nullptr;  ///< of the run; its manifest is written, nothing of it is mounted
  const sandbox::Plan* plan = nullptr;     ///< that it ran by
  const host::HostFacts* facts = nullptr;
};

/// Into the record, with gaps for what was not checked.
void validate(const ValidationPlace& place, report::RunRecord& record);

/// For the failures: what the validators said. One that is not installed, or could not tell, becomes a gap.
std::vector<verdict::ConfigCheck> config_checks(report::RunRecord& record);

}  // namespace rehearse
