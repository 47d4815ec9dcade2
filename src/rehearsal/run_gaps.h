// What is wrong with a run whatever the policy, and what was not like production.
#pragma once

#include <vector>

#include "effects/change_set.h"
#include "rehearsal/network.h"
#include "rehearsal/recording.h"
#include "rehearsal/service_manager.h"
#include "report/run_record.h"
#include "sandbox/evidence.h"
#include "verdict/finding.h"

namespace rehearse {

/// Takes the cap off what is known of mounts that are shown otherwise than they are, where the action did
/// nothing that concerns it. Without a recording (null) nobody knows what it looked at.
void settle_concerns(const sandbox::Evidence& evidence, const effects::ChangeSet& changes,
                     const Recording* recording, report::RunRecord& record);

/// Fills in the gaps and the findings that rest on the run alone; `found`: those made already.
void find_and_name_gaps(const sandbox::Evidence& evidence, const effects::ChangeSet& changes,
                        const ServiceManager& manager, const NetworkPlan& network,
                        std::vector<verdict::Finding> found, report::RunRecord& record);

}  // namespace rehearse
