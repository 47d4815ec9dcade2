// The processes of a run for a terminal: their tree, and which were slow.
#pragma once

#include <string>

#include "report/run_record.h"
#include "report/style.h"

namespace rehearse::report {

/// One line a process, children below their parents, with how each ended. At most `most` lines: what is left
/// out is counted, and never one that failed. `columns` 0: not cut.
std::string process_tree_text(const RunRecord& record, const Style& style, std::size_t columns,
                              std::size_t most);

/// The `most` processes that lived longest, the longest first, with the time that they computed themselves.
/// Nothing of a run of one process: it would say again what the tree says.
std::string slowest_text(const RunRecord& record, std::size_t columns, std::size_t most);

}  // namespace rehearse::report
