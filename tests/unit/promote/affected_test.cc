#include "promote/affected.h"

#include <catch2/catch.hpp>

using rehearse::promote::unit_of_file;

TEST_CASE("the unit whose file or drop-in a path is") {
  CHECK(unit_of_file("/etc/systemd/system/a.service") == "a.service");
  CHECK(unit_of_file("/usr/lib/systemd/system/a@.timer") == "a@.timer");
  CHECK(unit_of_file("/etc/systemd/system/a.service.d/limits.conf") == "a.service");
  CHECK(unit_of_file("/etc/systemd/system/a.service.d/limits.txt").empty());
  CHECK(unit_of_file("/etc/systemd/system/multi-user.target.wants/a.service").empty());
  CHECK(unit_of_file("/srv/systemd/system/a.service").empty());
  CHECK(unit_of_file("/etc/systemd/system/readme").empty());
  CHECK(unit_of_file("a.service").empty());
  CHECK(unit_of_file("").empty());
}
