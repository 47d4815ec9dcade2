// The tree of processes for a terminal.
#pragma once

#include <string>

#include "report/run_record.h"
#include "report/style.h"

namespace rehearse::report {

/// One line a process, children below their parents, with how each ended. At most `most` lines: what is left
/// out is counted, and never one that failed. `columns` 0: not cut.
std::string process_tree_text(const RunRecord& record, const Style& style, std::size_t columns,
                              std::size_t most);

}  // namespace rehearse::report
