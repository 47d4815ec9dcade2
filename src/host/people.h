// Persons of this host: who is behind a process that runs as root, and who is in which group. Files are read
// directly, as in identity.h: people and groups that come from a directory service alone are not known.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rehearse::host {

struct Person {
  std::uint32_t uid = 0;
  std::string name;                 ///< empty: no line of passwd has it
  std::vector<std::string> groups;  ///< by name; none of a person without a line
};

/// Pure: from the texts of passwd(5) and group(5).
Person person_in(std::uint32_t uid, std::string_view passwd, std::string_view group);
Result<Person> find_person(std::uint32_t uid);

/// "ann", or "uid 4711" where the number has no name.
std::string name_of(const Person& person);

/// Ids of one process, from the text of /proc/PID/status; pure.
struct ProcessIds {
  std::int32_t parent = 0;
  std::uint32_t real_uid = 0;
};
std::optional<ProcessIds> ids_in(std::string_view status);

/// Pure but for `ids_of`: the real uid of the nearest ancestor of `pid` that is not root's. Nothing if all
/// are root's, or if the line of ancestors is longer than anybody's.
std::optional<std::uint32_t> user_behind(
    std::int32_t pid, const std::function<std::optional<ProcessIds>(std::int32_t)>& ids_of);
/// Of this process: what the kernel says of who used sudo, su or their like.
std::optional<std::uint32_t> user_behind_me();

}  // namespace rehearse::host
