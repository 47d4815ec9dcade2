#include "base/path.h"

#include "catch2/catch.hpp"

using namespace rehearse;

TEST_CASE("a path is by its names alone, and none is above the root") {
  CHECK(normal_path("//a/./b//../c/") == "/a/c");
  CHECK(normal_path("/../..") == "/");
  CHECK(normal_path("/a") == "/a");
  CHECK(normal_path("") == "/");
}

TEST_CASE("a path below another stays below what is kept of it") {
  CHECK(joined_path("/jail/dir", 5, "../../../etc") == "/jail/etc");
  CHECK(joined_path("/jail/dir", 0, "../x") == "/jail/x");
}
