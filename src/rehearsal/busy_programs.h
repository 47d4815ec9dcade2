// Programs that the action wrote to in place and that somebody executes on the host: there the kernel would
// not have let it (ETXTBSY).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "verdict/finding.h"

namespace rehearse {

/// `written`: paths of the host (trace::ProgramWrites). A gap each; none where the host cannot be looked at,
/// which is said elsewhere (Recording::list_reads).
std::vector<verdict::Gap> busy_programs(const std::set<std::string>& written);

}  // namespace rehearse
