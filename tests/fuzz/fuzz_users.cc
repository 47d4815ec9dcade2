// passwd(5) and group(5).
#include "fuzz.h"
#include "host/identity.h"

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::string_view name = in.view();
  const std::string_view rest = in.rest();
  const std::size_t middle = std::min(rest.find('\0'), rest.size());
  const std::string_view passwd = rest.substr(0, middle);
  const std::string_view group = rest.substr(std::min(middle + 1, rest.size()));
  const auto user = host::parse_user(name, passwd, group);
  if (!user) {
    FUZZ_REQUIRE(user.error().exit == ExitCode::kUsage);
    return 0;
  }
  FUZZ_REQUIRE(user->name == name ||
               std::to_string(user->uid) == name.substr(std::min(name.find_first_not_of('0'),
                                                                 std::max<std::size_t>(name.size(), 1) - 1)));
  FUZZ_REQUIRE(user->uid != 4294967295U && user->gid != 4294967295U);
  FUZZ_REQUIRE(!user->groups.empty() && user->groups.front() == user->gid);
  FUZZ_REQUIRE(std::string(user->name).find_first_of(":\n") == std::string::npos);
  auto sorted = user->groups;
  std::sort(sorted.begin(), sorted.end());
  FUZZ_REQUIRE(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
  // Nobody is in a group that does not name them.
  if (user->groups.size() > 1)
    FUZZ_REQUIRE(!user->name.empty() && group.find(user->name) != std::string_view::npos);
  return 0;
}
