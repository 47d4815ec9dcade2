// Which lower objects live on under another name in the upper. Found before the walk, so that the walk can
// stream.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <algorithm>

#include "effects/layer.h"

namespace rehearse::effects {

struct RenameIndex {
  /// Lower paths (relative to the layer) that were moved away: their whiteouts are not deletions.
  std::unordered_set<std::string> moved_from;
  /// Lower path of a renamed directory -> its upper path.
  std::unordered_map<std::string, std::string> directories;
  /// Upper path of a renamed non-directory -> its lower path. Directories carry a redirect instead.
  std::unordered_map<std::string, std::string> files;
  /// Something that stands for a masked file has been moved or linked: whatever is new may be it.
  bool masks_moved = false;
  std::vector<std::string> trouble;  ///< a line each: what could not be looked through

  /// Walks the upper once by names alone; the lower only where a file may have been renamed. Memory is
  /// proportional to the number of renames. Trouble is left to the main walk, which meets it again and
  /// reports it.
  static RenameIndex build(const Layer& layer);
};

/// The masked file (its lower path) for which the upper object was a placeholder, if it was one.
std::optional<std::string> placeholder_of(const Layer& layer, int upper_dir, const char* name);

/// Where a redirect of directory `name` in lower directory `parent` (relative path, "" for the root) leads:
/// an absolute redirect is relative to the layer's root. Empty if it is malformed.
std::string redirect_target(const std::string& redirect, const std::string& parent);

inline std::string join_path(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + '/' + name;
}

}  // namespace rehearse::effects
