// A run that may write nothing: what it tried, and what it left in the directories for throwing away.
#pragma once

#include <vector>

#include "effects/layer.h"
#include "ledger/state.h"
#include "rehearsal/write_watch.h"
#include "report/run_record.h"
#include "sandbox/evidence.h"

namespace rehearse {

/// Looks through scratch directories. What is new there is counted; anything else that changed there belonged
/// to somebody, and is noted as an attempt to write.
Result<std::uint64_t> look_at_scratch(const std::vector<effects::Layer>& layers,
                                      const sandbox::Evidence& evidence, WriteWatch& watch);

/// For who waits for the run: why it begins again.
std::string tried_line(const WriteWatch& watch);

/// For the report; `enforced` as there.
report::ReadOnlyRecord describe_read_only(const WriteWatch& watch, bool enforced);

}  // namespace rehearse
