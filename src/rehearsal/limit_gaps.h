// Limits that the action asked for and did not get, where a host grants them.
#pragma once

#include <cstdint>
#include <vector>

#include "report/run_record.h"
#include "verdict/finding.h"

namespace rehearse {

/// What decides on a host whether a limit may be raised.
struct LimitRules {
  bool administrator = true;                ///< who starts it may raise hard limits (CAP_SYS_RESOURCE)
  std::uint64_t most_open_files = 1 << 20;  ///< beyond that nobody may
};
LimitRules limit_rules();

/// Of programs that try it whatever they are run for, and go on without, at best green; else at best yellow.
std::vector<verdict::Gap> limit_gaps(const report::RunRecord& record, const LimitRules& rules);

}  // namespace rehearse
