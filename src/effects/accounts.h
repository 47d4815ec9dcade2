// What became of users and groups, from the files they are kept in (passwd(5), shadow(5), group(5)). Of
// passwords it is said only that they are others, never what they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::effects {

struct AccountChange {
  /// user-added, user-removed, user-changed, group-added, group-removed, group-changed, member-added,
  /// member-removed, password-set, password-emptied, password-locked
  std::string what;
  std::string name;   ///< of the user; empty for groups
  std::string group;  ///< of a group or member
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string shell;
};

struct AccountFiles {
  std::string_view passwd;
  std::string_view shadow;
  std::string_view group;
};

/// In the order of the names. The texts may be hostile; lines that are none are passed over, as libc does. Of
/// several lines of one name the first counts, but a line that is added is said even so.
std::vector<AccountChange> account_changes(const AccountFiles& before, const AccountFiles& after);

}  // namespace rehearse::effects
