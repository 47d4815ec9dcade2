// The list of accounts and packages that a run changed; escaped.
#pragma once

#include <cstddef>
#include <string>

#include "report/run_record.h"

namespace rehearse::report {

/// "  user-added deploy  uid 1001, shell /bin/bash", "  upgraded nginx  1.22-1 → 1.22-2", a line each, at
/// most so many of each kind. What may be missing is said. Empty if there are none.
std::string named_changes_text(const RunRecord& record, std::size_t most);

}  // namespace rehearse::report
