// Which paths of a run are names of one object: a hard link is a path like any other in the list of changes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "effects/change.h"

namespace rehearse::report {

/// An object of the host's has more names than it had.
bool gained_link(const effects::Change& change);

class LinkNames {
 public:
  /// Each change of the run, before the first question.
  void take(const effects::Change& change);
  /// The name under which the host has the object that this new path is a link to; empty if it is not one.
  [[nodiscard]] std::string host_object(const effects::Change& change) const;
  /// What there is to say of it, escaped: "hard link of /etc/shadow" of a new name, "new hard link /tmp/x" of
  /// what was there, "another object, hard links 2→1". Empty if there is nothing.
  [[nodiscard]] std::string text(const effects::Change& change) const;

 private:
  struct Names {
    std::string kept;   ///< the first that was there before
    std::string fresh;  ///< the first that was not
  };
  [[nodiscard]] const Names* find(const effects::Change& change) const;

  std::map<std::pair<std::uint32_t, std::uint64_t>, Names> groups_;  ///< by layer and link group
};

}  // namespace rehearse::report
