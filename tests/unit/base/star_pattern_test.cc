#include "base/star_pattern.h"

#include <catch2/catch.hpp>
#include <string>

using namespace rehearse;

TEST_CASE("Stars in paths stop at slashes, two do not") {
  const auto path = [](std::string_view pattern, std::string_view text) {
    return star_matches(pattern, text, Star::kStopsAtSlash);
  };
  CHECK(path("/hooks/*", "/hooks/1"));
  CHECK(path("/hooks/*", "/hooks/"));
  CHECK_FALSE(path("/hooks/*", "/hooks/1/2"));
  CHECK_FALSE(path("/hooks/*", "/hooks"));
  CHECK(path("/hooks/**", "/hooks/1/2"));
  CHECK(path("/**/x", "/a/b/x"));
  CHECK(path("/a*b/*c", "/a-b-b/cc"));
  CHECK(path("/**b*c/*", "/a/b/bxc/d"));
  CHECK_FALSE(path("/**b*c/*", "/a/b/b/c/d/e"));
  CHECK(path("/?[x]", "/?[x]"));
  CHECK_FALSE(path("/?", "/a"));
  CHECK(path("***", "/a/b"));
  CHECK(path("", ""));
  CHECK_FALSE(path("", "a"));
}

TEST_CASE("Stars in lines take all") {
  CHECK(star_matches("GET * HTTP/1.*", "GET /a/b HTTP/1.1", Star::kTakesAll));
  CHECK(star_matches("*", "", Star::kTakesAll));
  CHECK_FALSE(star_matches("QUIT", "QUIT ", Star::kTakesAll));
}

TEST_CASE("A hostile pattern takes no longer than its length times the text's") {
  std::string pattern;
  for (int i = 0; i < 300; ++i) pattern += "**a*";
  CHECK_FALSE(star_matches(pattern + "b", std::string(20000, 'a'), Star::kStopsAtSlash));
}
