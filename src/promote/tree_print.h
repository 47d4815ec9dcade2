// What a directory holds, as one digest: names, inodes, and of everything but directories size and
// modification time (of one with several names, which other operations may give a new one, only size). Equal
// before and after a rename if nobody has touched anything below.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace rehearse::promote {

/// Of the directory `path` below `root`, without what lies at the paths in `without` (relative to `root`).
Result<Sha256> print_tree(int root, const std::string& path, const std::set<std::string>& without);

}  // namespace rehearse::promote
