// What the action asked of the service manager, for a terminal.
#pragma once

#include <cstdint>
#include <string>

#include "report/run_record.h"
#include "report/style.h"

namespace rehearse::report {

/// Requests that the host would not have been the same after.
std::uint64_t count_unit_changes(const RunRecord& record);
/// "2 service requests"; "" if there was none.
std::string units_line(const RunRecord& record);

/// A request a line, questions in one line at the end. At most `most` lines; what is left out is counted.
std::string units_text(const RunRecord& record, const Style& style, std::size_t most);

}  // namespace rehearse::report
