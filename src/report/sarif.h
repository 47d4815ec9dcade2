// The findings of a run as SARIF 2.1.0 (OASIS), for tools that collect results of checks: one result a
// finding.
#pragma once

#include <string>

#include "report/run_record.h"

namespace rehearse::report {

/// One document. Red is `error`, yellow and inconclusive `warning`, green a `pass`; what does not decide
/// (advice, rules on trial) is a `note`. Files are given by absolute file: addresses.
std::string to_sarif(const RunRecord& record);

}  // namespace rehearse::report
