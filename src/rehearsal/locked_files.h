// Locks that the action took, or found to be free, and that somebody on the host holds: there it would have
// waited, or been turned away.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "verdict/finding.h"

namespace rehearse {

/// `locked`: paths of the host (trace::FileLocks). A gap each, of locks that are held now; none where the
/// host cannot be looked at, which is said elsewhere (Recording::list_reads).
std::vector<verdict::Gap> locked_files(const std::map<std::string, std::uint8_t>& locked);

}  // namespace rehearse
