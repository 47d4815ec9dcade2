// What the action changed that is no file: it took place in the run's own namespaces, and went with them.
#pragma once

#include <string>
#include <vector>

#include "report/run_record.h"

namespace rehearse::report {

/// What of this kind happened, a line each, in the order of time: "sysctl: openat(...)". Raw bytes.
std::vector<std::string> contained_lines(const RunRecord& record);

}  // namespace rehearse::report
