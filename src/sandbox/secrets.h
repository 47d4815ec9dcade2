// Which files of the host are secrets that a rehearsal has no business to hold: they are masked by
// default.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace rehearse::sandbox {

/// Absolute, real paths of the private ssh keys and cloud credentials that exist on this host: in the home
/// directories of all users of passwd(5), in /home/* and in /etc/ssh. A symlink is followed to the file it
/// leads to. Another hard link to one of them is not looked for
/// (whoever reads the file by that is told of). /etc/shadow is not among them: system tools
/// need it.
std::vector<std::string> find_secrets();

}  // namespace rehearse::sandbox
