// Which gaps about mounts that are shown otherwise than they are concern the run.
#pragma once

#include "effects/change_set.h"
#include "rehearsal/recording.h"
#include "report/run_record.h"
#include "sandbox/evidence.h"

namespace rehearse {

/// Takes the cap off those where the action did nothing that could have been otherwise on the host: looked
/// for nothing in what is hidden, changed nothing and met no failure in what differs. Without a recording
/// (null) nobody knows, and all of them stay.
void settle_concerns(const sandbox::Evidence& evidence, const effects::ChangeSet& changes,
                     const Recording* recording, report::RunRecord& record);

}  // namespace rehearse
