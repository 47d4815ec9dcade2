// What became of Debian packages, from dpkg's status file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::effects {

struct PackageChange {
  std::string
      what;  ///< installed, upgraded, downgraded, removed, changed (its state or what is wanted of it)
  std::string name;
  std::string before;  ///< version
  std::string after;
};

/// In the order of the names. The texts may be hostile.
std::vector<PackageChange> package_changes(std::string_view before, std::string_view after);

/// deb-version(7): less than, equal to or greater than 0 as `a` is older, equal or newer.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace rehearse::effects
