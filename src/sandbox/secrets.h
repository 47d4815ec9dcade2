// Which files of the host are secrets that a rehearsal has no business to hold: they are shown empty by
// default.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace rehearse::sandbox {

/// Absolute paths of the private ssh keys and cloud credentials that exist on this host, in root's and all
/// /home directories and /etc/ssh. Symlinks are not followed. /etc/shadow is not among them: system tools
/// need it.
std::vector<std::string> find_secrets();

}  // namespace rehearse::sandbox
