// What a directory holds, as one digest: names, inodes and types; of directories their settings without the
// time (whoever works in them moves that); of everything else what tells that nobody has touched it: change
// time, modification time and size. Equal before and after a rename of the directory if nobody has changed
// anything below, also if he put something there that is older.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_set>

#include "base/digest.h"
#include "base/result.h"
#include "promote/operation.h"

namespace rehearse::promote {

/// Inodes of a volume whose change times the operations themselves move. One with several names may lie in a
/// directory, too, and is told there by what they leave alone.
struct TouchedInodes {
  std::unordered_set<std::uint64_t> renamed;    ///< counts by content and settings
  std::unordered_set<std::uint64_t> set;        ///< gets settings: counts by content
  std::unordered_set<std::uint64_t> rewritten;  ///< counts by its name alone
};
TouchedInodes touched_inodes(std::span<const Operation> operations, std::uint32_t volume);

struct TreeScope {
  const std::set<std::string>& without;  ///< paths, relative to the root, of what is left out
  const TouchedInodes& touched;
  /// No look may find what was changed at this time (CLOCK_REALTIME) or later: kStale names it. 0: any time.
  std::int64_t before_ns = 0;
  bool renamed = false;  ///< the directory itself was: its own times tell nothing
};

/// Of the directory `path` below `root`.
Result<Sha256> print_tree(int root, const std::string& path, const TreeScope& scope);

}  // namespace rehearse::promote
