#include "verdict/expected_names.h"

#include <algorithm>

#include "verdict/wildcard.h"

namespace rehearse::verdict {

std::vector<std::string> picked(const NamedChanges& changes, const std::vector<std::string>& patterns,
                                bool inside) {
  std::vector<std::string> found;
  for (const std::string& change : changes.all) {
    const bool named = std::ranges::any_of(
        patterns, [&](const std::string& pattern) { return wildcard_matches(pattern, change); });
    if (named == inside) found.push_back(change);
  }
  return found;
}

bool has_change(const NamedChanges& changes, std::string_view pattern) {
  return std::ranges::any_of(changes.all,
                             [&](const std::string& change) { return wildcard_matches(pattern, change); });
}

}  // namespace rehearse::verdict
