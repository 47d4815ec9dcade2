// Who is logged in on this host, by utmp(5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::host {

struct Login {
  std::string user;  ///< raw, as all of them
  std::string line;  ///< "pts/0"
  std::string from;  ///< host name or address; or empty
  std::int32_t pid = 0;
  std::int64_t since_s = 0;  ///< since 1970
};

/// Pure: the records of users in the bytes of a utmp file. What is cut off at the end is left out.
std::vector<Login> parse_logins(std::string_view utmp);
/// Of /run/utmp, those whose process lives. A host without the file (newer ones) has none.
std::vector<Login> read_logins();

}  // namespace rehearse::host
