// Locks that the action took, or found to be free, and that somebody on the host holds: there it would have
// waited, or been turned away.
#pragma once

#include <vector>

#include "trace/file_locks.h"
#include "verdict/finding.h"

namespace rehearse {

/// A gap for each file, of locks that are held now; none where the
/// host cannot be looked at, which is said elsewhere (Recording::list_reads).
std::vector<verdict::Gap> locked_files(const trace::FileLocks& locks);

}  // namespace rehearse
