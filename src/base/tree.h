// Walks over trees that a rehearsed action shaped: any depth, any names, any modes and flags.
//
// By descriptor only; follows no symlink, crosses no mount, opens nothing but directories. At most
// kOpenLevels descriptors are open; deeper levels are left through ".." whose identity is checked. Nobody
// else may change the tree meanwhile (its run is over and it lies in a 0700 directory).
#pragma once

#include <cstdint>

#include "base/result.h"

namespace rehearse {

/// Removes `name` in `dir` with everything below; clears immutable and append-only flags in its way. Fine if
/// it is not there. A mount in the tree is an error and stays.
Result<void> remove_tree(int dir, const char* name);

/// Blocks (in bytes) of everything below and including the directory `name` in `dir`, each inode once.
Result<std::uint64_t> tree_bytes(int dir, const char* name);

}  // namespace rehearse
