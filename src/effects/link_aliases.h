// With index=on, writing one name of a hardlinked lower file changes all its names, but only the written one
// is in the upper. This finds the others.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "effects/change.h"
#include "effects/directory.h"
#include "effects/layer.h"
#include "effects/rename_index.h"

namespace rehearse::effects {

/// A name that the upper does not have and whose object it holds all the same.
struct LinkAlias {
  std::string path;  ///< as the action saw it
  std::string host;  ///< as the host has it
  bool masked = false;
  SharedFd directory;  ///< in the lower
  std::string name;
  struct stat st = {};
  Attributes after;
  std::string object;  ///< its name in the overlay's index
};

class LinkAliases {
 public:
  /// A change of one name. `origin` is the lower object that a hard-linked object of the upper came from.
  void note(const Change& change, const std::optional<struct stat>& origin);
  /// Calls `visit` for each further name, in path order; stops when it returns false. Objects are found in
  /// the overlay's index, which keeps them even when no name of them is left in the upper; their other names
  /// by inode number in the lower, which is scanned only if there is anything to find.
  /// What cannot be looked through goes to `trouble` as a line.
  void complete(const Layer& layer, const RenameIndex& renames,
                const std::function<bool(const LinkAlias&)>& visit,
                const std::function<void(std::string)>& trouble) const;

 private:
  struct Group {
    std::uint64_t recorded = 0;  ///< names of the lower object that have records of their own
    bool only_opened = false;    ///< one was opened for writing and left as it was
    bool changed = false;
    std::string path = {};  ///< the host's, of one of them
  };
  struct Object {
    std::string name;  ///< in the index
    Attributes after;
    std::uint64_t names = 0;  ///< in the lower
    std::string path;         ///< the host's, of a name that has a record; empty: none has
  };
  using Objects = std::unordered_map<std::uint64_t, Object>;  ///< by lower inode
  [[nodiscard]] Objects incomplete(const Layer& layer, const std::function<void(std::string)>& trouble) const;
  static void scan(const Layer& layer, const RenameIndex& renames, const Objects& objects,
                   std::vector<LinkAlias>& found, const std::function<void(std::string)>& trouble);
  std::unordered_map<std::uint64_t, Group> groups_;  ///< by lower inode
};

}  // namespace rehearse::effects
