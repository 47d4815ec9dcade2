// Changes that have names instead of paths, as far as they were declared: accounts and packages. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::verdict {

/// Patterns of "WHAT:NAME" (wildcard.h): "user-added:deploy", "member-added:deploy:sudo", "installed:nginx*",
/// "*:libssl3".
struct ExpectedNames {
  std::optional<std::vector<std::string>> may;  ///< nothing else; empty: nothing at all
  std::vector<std::string> must;                ///< each has a change
  std::vector<std::string> must_not;            ///< none has one
  [[nodiscard]] bool any() const { return may || !must.empty() || !must_not.empty(); }
};

struct NamedChanges {
  std::vector<std::string> all;  ///< "user-added:deploy"
  std::string unknown;           ///< why there may be more; empty: these are all
};

/// The changes that `patterns` do not speak of, or with `inside` those that they do.
std::vector<std::string> picked(const NamedChanges& changes, const std::vector<std::string>& patterns,
                                bool inside);
/// Whether one of the changes is what the pattern speaks of.
bool has_change(const NamedChanges& changes, std::string_view pattern);

}  // namespace rehearse::verdict
