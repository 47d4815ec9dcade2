// Users of this host and who asks. Files are parsed directly: the product is one static binary without NSS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rehearse::host {

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
  std::string shell;
  std::vector<std::uint32_t> groups;  ///< supplementary, with gid
};

/// Pure: looks `name_or_uid` up in the texts of passwd(5) and group(5). A number that no line has is a user
/// of its own, in the group of the same number. kUsage for an unknown name.
Result<User> parse_user(std::string_view name_or_uid, std::string_view passwd, std::string_view group);
Result<User> find_user(std::string_view name_or_uid);

struct Requester {
  std::uint32_t uid = 0;
  std::optional<std::uint32_t> loginuid;
  /// The user who became root, by the kernel's word (the nearest ancestor that is not root's); where it has
  /// none, what the environment claims.
  std::optional<std::uint32_t> sudo_uid;
  bool attested = true;  ///< false: the person is known from the environment alone
  std::optional<std::string> tty;
  std::optional<std::string> unit;
};
Requester read_requester();

/// "user@1000.service": what a user's own processes, also those of a terminal, lie in.
bool is_user_manager(std::string_view unit);

/// The unit that a process in this cgroup is to be known by: a service that it lies in, however deep, but
/// that of a user's own manager; else the innermost unit. Pure.
std::optional<std::string> unit_of_requester(std::string_view cgroup);

/// "nginx.service" or "session-3.scope" from the text of /proc/PID/cgroup, as systemd names groups; pure.
std::optional<std::string> unit_in(std::string_view cgroup);

}  // namespace rehearse::host
