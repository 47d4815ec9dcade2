// With index=on, writing one name of a hardlinked lower file changes all its names, but only the written one
// is in the upper. This finds the others.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "effects/change.h"
#include "effects/layer.h"

namespace rehearse::effects {

class LinkAliases {
 public:
  /// A change of one name of a lower file with several.
  void note(const Change& change);
  /// Calls `add` for each further name, in path order. Scans the lower by inode number only if there is
  /// anything to find.
  void complete(const Layer& layer, const std::function<bool(Change)>& add);

 private:
  struct Group {
    Change sample;
    std::vector<std::string> names;  ///< known to have this inode before
  };
  std::unordered_map<std::uint64_t, Group> groups_;  ///< by lower inode
};

}  // namespace rehearse::effects
