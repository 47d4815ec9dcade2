// A run that may write nothing: what it tried, and what it left in the directories for throwing away.
#pragma once

#include <vector>

#include "effects/layer.h"
#include "ledger/state.h"
#include "rehearsal/write_watch.h"
#include "report/run_record.h"
#include "sandbox/evidence.h"

namespace rehearse {

/// Looks through scratch directories, for `record`. What is new there is counted, and the first of it named.
/// What would give somebody rights or fill the host is noted as an attempt to write, as is anything else that
/// changed there: it belonged to somebody.
Result<void> look_at_scratch(const std::vector<effects::Layer>& layers, const sandbox::Evidence& evidence,
                             WriteWatch& watch, report::ReadOnlyRecord& record);

/// For who waits for the run: why it begins again.
std::string tried_line(const WriteWatch& watch);

/// For the report; `enforced` as there.
report::ReadOnlyRecord describe_read_only(const WriteWatch& watch, bool enforced);

}  // namespace rehearse
