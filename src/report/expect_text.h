// What was claimed and declared of an action, and what became of it, for a person.
#pragma once

#include <cstddef>
#include <string>

#include "report/run_record.h"
#include "report/style.h"

namespace rehearse::report {

/// The requester's words in a box, with `counts` (what happened) below; "" if nothing is claimed.
std::string claim_text(const RunRecord& record, const std::string& counts, std::size_t columns);

/// A line for each expectation, "" if nothing was declared.
std::string expectations_text(const RunRecord& record, const Style& style);

/// Probes and validators with how they ended; "" if there were none.
std::string inside_text(const RunRecord& record, const Style& style);

}  // namespace rehearse::report
