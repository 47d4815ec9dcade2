#include "trace/device_names.h"

#include <catch2/catch.hpp>

using namespace rehearse::trace;

TEST_CASE("devices by their names") {
  CHECK(device_kind("/dev/vda1") == "raw device");
  CHECK(device_kind("/dev/null") == "device");
  CHECK(device_kind("/dev/initctl") == "device");
  CHECK(device_kind("/dev/tty7") == "device");
  CHECK(device_kind("/dev/ttyx") == "raw device");
}

TEST_CASE("devices by their numbers") {
  CHECK(device_kind(false, 1, 3) == "device");      // null
  CHECK(device_kind(false, 0, 0) == "raw device");  // a whiteout
  CHECK(device_kind(false, 136, 9) == "device");
  CHECK(device_kind(false, 10, 229) == "device");      // fuse
  CHECK(device_kind(false, 1, 1) == "raw device");     // mem
  CHECK(device_kind(false, 10, 144) == "raw device");  // nvram
  CHECK(device_kind(true, 1, 3) == "raw device");
  CHECK(device_kind(true, 254, 0) == "raw device");
}
