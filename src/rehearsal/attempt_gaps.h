// What came of attempts in the sandbox that would have come of them otherwise on a host: as gaps, and as what
// may have made the command fail.
#pragma once

#include <string>
#include <vector>

#include "report/run_record.h"

namespace rehearse {

/// Adds gaps for what was looked for, what was refused, what stayed within the run, and core dumps.
void name_attempt_gaps(report::RunRecord& record);

/// Why the command may fail here and not on a host, a line each.
struct Hindrances {
  std::vector<std::string> refused;  ///< limits that were met, and attempts
  std::vector<std::string> gaps;     ///< that cap the verdict; what is named there may have been done
};

/// After all gaps are named; `limits_hit` are reasons, too.
Hindrances hindrances(const report::RunRecord& record, const std::vector<std::string>& limits_hit);

}  // namespace rehearse
