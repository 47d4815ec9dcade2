// What a path of a run is called on the host: what lies below a renamed directory is recorded under its new
// name.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "effects/change.h"

namespace rehearse::report {

class HostNames {
 public:
  /// Each change of the run, before the first question.
  void take(const effects::Change& change);
  /// Where the host has what the change found; the likeliest first. Two where a directory was removed and
  /// another moved to its name: something deleted below may have been in either.
  [[nodiscard]] std::vector<std::string> of(const effects::Change& change) const;

 private:
  [[nodiscard]] std::string before(std::string_view path) const;

  std::map<std::string, std::string, std::less<>> renamed_;  ///< directories, by their new name
};

}  // namespace rehearse::report
