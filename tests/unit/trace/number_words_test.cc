#include "trace/number_words.h"

#include <catch2/catch.hpp>

using rehearse::trace::asks_for_device_numbers;

TEST_CASE("who asks for device numbers") {
  CHECK(asks_for_device_numbers("stat", {"stat", "-c", "%d:%i", "/"}));
  CHECK(asks_for_device_numbers("stat", {"stat", "--format=%n %D", "/"}));
  CHECK(asks_for_device_numbers("stat", {"stat", "-c", "%%%04d", "/"}));
  CHECK_FALSE(asks_for_device_numbers("stat", {"stat", "-c", "%a%%d %i", "/"}));
  CHECK_FALSE(asks_for_device_numbers("stat", {"stat", "/d", "100%"}));
  CHECK(asks_for_device_numbers("find", {"find", "/etc", "-printf", "%D %p\\n"}));
  CHECK_FALSE(asks_for_device_numbers("find", {"find", "/etc", "-printf", "%d %p\\n"}));
  CHECK(asks_for_device_numbers("mountpoint", {"mountpoint", "-d", "/"}));
  CHECK(asks_for_device_numbers("tar", {"tar", "-c", "--listed-incremental=/x", "-f", "a.tar", "/etc"}));
  CHECK(asks_for_device_numbers("tar", {"tar", "-g", "/x", "-cf", "a.tar", "/etc"}));
  CHECK_FALSE(asks_for_device_numbers("tar", {"tar", "-cf", "a.tar", "/etc"}));
}
