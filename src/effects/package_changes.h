// What became of Debian packages, from dpkg's status file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::effects {

struct PackageChange {
  /// installed, upgraded, downgraded, removed; broken: it worked, and is not whole any more or lacks what it
  /// depends on; changed: something else of its state, or what is wanted of it
  std::string what;
  std::string name;
  std::string before;  ///< version
  std::string after;
  std::string state_before;  ///< dpkg's, "install ok installed"; empty: dpkg did not know it
  std::string state_after;
  std::string needs;  ///< of a broken one that is whole: what it depends on and is not there any more

  /// Whether its files may be others by that.
  [[nodiscard]] bool touches_files() const;
};

/// "upgraded curl 7.1 to 7.2", "changed curl 7.1: install ok installed, then hold ok installed"; raw bytes.
std::string describe(const PackageChange& change);

/// What dpkg-divert has moved.
struct Diversion {
  std::string from;
  std::string to;
};
/// Of the diversions that were added or removed, from dpkg's list of them. The texts may be hostile.
std::vector<Diversion> diversion_changes(std::string_view before, std::string_view after);

/// In the order of the names. The texts may be hostile.
std::vector<PackageChange> package_changes(std::string_view before, std::string_view after);

/// deb-version(7): less than, equal to or greater than 0 as `a` is older, equal or newer.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace rehearse::effects
