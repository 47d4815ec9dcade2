// What came of attempts in the sandbox that would have come of them otherwise on a host: as gaps, and as what
// may have made the command fail.
#pragma once

#include <string>
#include <vector>

#include "report/run_record.h"

namespace rehearse {

/// Adds gaps for what was looked for, what was refused, what stayed within the run, and core dumps.
void name_attempt_gaps(report::RunRecord& record);

/// Why the command may fail here and not on a host, a line each; `limits_hit` are reasons too. After all gaps
/// are named.
std::vector<std::string> hindrances(const report::RunRecord& record,
                                    const std::vector<std::string>& limits_hit);

}  // namespace rehearse
