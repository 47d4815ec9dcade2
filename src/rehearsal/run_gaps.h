// What is wrong with a run whatever the policy, and what was not like production.
#pragma once

#include <vector>

#include "effects/change_set.h"
#include "rehearsal/network.h"
#include "rehearsal/service_manager.h"
#include "report/run_record.h"
#include "sandbox/evidence.h"
#include "verdict/finding.h"

namespace rehearse {

/// Fills in the gaps and the findings that rest on the run alone; `found`: those made already.
void find_and_name_gaps(const sandbox::Evidence& evidence, const effects::ChangeSet& changes,
                        const ServiceManager& manager, const NetworkPlan& network,
                        std::vector<verdict::Finding> found, report::RunRecord& record);

}  // namespace rehearse
