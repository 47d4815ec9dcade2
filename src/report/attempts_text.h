// What only an administrator may do and the action tried, for a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "report/run_record.h"

namespace rehearse::report {

/// A line for all attempts that differ in the process and in addresses of memory only. At most `most` lines;
/// `more` is put where some are left out: how to see them.
std::string attempts_text(const RunRecord& record, std::size_t most, const std::string& more);

}  // namespace rehearse::report
