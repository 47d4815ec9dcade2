// The report's lines about the way back.
#pragma once

#include <string>

#include "report/run_record.h"

namespace rehearse::report {

/// "rollback  verified in 3 ms on a stand-in", or why not, or that it has not been tried, and what cannot be
/// taken back, a line each; escaped.
std::string undo_text(const UndoTrial& trial);

}  // namespace rehearse::report
