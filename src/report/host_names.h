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
  /// Where the host has what the change found; the likeliest first. What is deleted is recorded as the host
  /// has it: the second of two is for bundles that have it by where the action saw it.
  [[nodiscard]] std::vector<std::string> of(const effects::Change& change) const;

 private:
  [[nodiscard]] std::string before(std::string_view path) const;

  std::map<std::string, std::string, std::less<>> renamed_;  ///< directories, by their new name
};

}  // namespace rehearse::report
