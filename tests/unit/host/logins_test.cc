#include "host/logins.h"

#include <utmpx.h>

#include <catch2/catch.hpp>
#include <cstring>

using namespace rehearse::host;

namespace {

std::string record(short type, const char* user, const char* line, const char* from) {
  struct utmpx one = {};
  one.ut_type = type;
  one.ut_pid = 42;
  one.ut_tv.tv_sec = 1000;
  std::strncpy(one.ut_user, user, sizeof one.ut_user);
  std::strncpy(one.ut_line, line, sizeof one.ut_line);
  std::strncpy(one.ut_host, from, sizeof one.ut_host);
  return {reinterpret_cast<const char*>(&one), sizeof one};
}

}  // namespace

TEST_CASE("users of utmp are read, and nothing else") {
  const std::string name(64, 'x');  // longer than the field, and not ended by a NUL
  const auto logins =
      parse_logins(record(BOOT_TIME, "reboot", "~", "") + record(USER_PROCESS, "ann", "pts/0", "10.0.0.7") +
                   record(DEAD_PROCESS, "bob", "pts/1", "") + record(USER_PROCESS, name.c_str(), "tty1", "") +
                   std::string(100, 'y'));
  REQUIRE(logins.size() == 2);
  CHECK((logins[0].user == "ann" && logins[0].line == "pts/0" && logins[0].from == "10.0.0.7"));
  CHECK((logins[0].pid == 42 && logins[0].since_s == 1000));
  CHECK(logins[1].user == std::string(32, 'x'));
  CHECK(parse_logins("").empty());
}
