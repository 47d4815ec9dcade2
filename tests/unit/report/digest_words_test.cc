#include "report/digest_words.h"

#include <catch2/catch.hpp>

using namespace rehearse::report;

TEST_CASE("A digest in words, as the published list has them") {
  // The example of the list's authors.
  CHECK(digest_words("sha256:e58294f2e9a227486e8b061b31cc528fd7fa3f19") ==
        "topmost istanbul pluto vagabond treadmill pacific brackish dictator");
  CHECK(digest_words("sha256:0000ffff") == "aardvark adroitness zulu yucatan");
  CHECK(digest_words("e582") == "topmost istanbul");
}

TEST_CASE("What is no digest has no words") {
  CHECK(digest_words("").empty());
  CHECK(digest_words("sha256:").empty());
  CHECK(digest_words("sha256:0").empty());
  CHECK(digest_words("sha256:\x1b[31m..").empty());
}
