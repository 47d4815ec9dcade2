#include "trace/glob.h"

#include <catch2/catch.hpp>

#include "trace/literal.h"
#include "trace/path_prefix.h"

using namespace rehearse::trace;

TEST_CASE("shell patterns as fnmatch reads them") {
  CHECK(glob_matches("", ""));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("/a/*", "/a/b/c"));
  CHECK(glob_matches("*b*c", "abbc"));
  CHECK_FALSE(glob_matches("*b*c", "abbcd"));
  CHECK(glob_matches("a?c", "abc"));
  CHECK_FALSE(glob_matches("a?c", "ac"));
  CHECK(glob_matches("a?c", "aäc"));
  CHECK_FALSE(glob_matches("a??c", "aäc"));
  CHECK_FALSE(glob_matches("a*??", "aä"));
  CHECK(glob_matches("a?", "a\xff"));
  CHECK(glob_matches("[abc]x", "bx"));
  CHECK_FALSE(glob_matches("[!abc]x", "bx"));
  CHECK(glob_matches("[^abc]x", "dx"));
  CHECK(glob_matches("[a-c0-9]", "7"));
  CHECK(glob_matches("[ä-ü]", "ö"));
  CHECK(glob_matches("[]a]", "]"));
  CHECK(glob_matches("[a-]", "-"));
  CHECK(glob_matches("[\\]]", "]"));
  CHECK(glob_matches("[[:digit:]_]", "_"));
  CHECK(glob_matches("[[:digit:]_]", "5"));
  CHECK_FALSE(glob_matches("[[:digit:]_]", "a"));
  CHECK(glob_matches("[a", "[a"));
  CHECK(glob_matches("\\*", "*"));
  CHECK_FALSE(glob_matches("\\*", "a"));
  CHECK(glob_matches("\\", "\\"));
  CHECK(glob_matches("AbC*", "aBcD", true));
  CHECK(glob_matches("[A-C]", "b", true));
  CHECK(glob_matches("[[:upper:]]", "b", true));
  CHECK_FALSE(glob_matches("[a-c]", "B"));
}

TEST_CASE("path prefixes go by component") {
  CHECK(PathPrefix("/usr").matches("/usr/lib"));
  CHECK(PathPrefix("/usr/").matches("//usr"));
  CHECK_FALSE(PathPrefix("/usr/lib").matches("/usr"));
  CHECK_FALSE(PathPrefix("/usr").matches("/usrx"));
  CHECK(PathPrefix("/*/lib").matches("/usr/lib/x"));
  CHECK_FALSE(PathPrefix("/*/lib").matches("/usr/x/lib"));
  CHECK(PathPrefix("/").matches("/"));
}

TEST_CASE("values as they are written") {
  CHECK(parse_number("18446744073709551615") == Number{0xffffffffffffffff});
  CHECK_FALSE(parse_number("18446744073709551616"));
  CHECK(parse_number("0xFf") == Number{255});
  CHECK(parse_number("-010") == Number{-8});
  CHECK(parse_number("0") == Number{0});
  for (const char* bad : {"", "-", "+", "0x", "--1", "-+1", "1.5", "1e3", "9a", "0b1", " 1", "1 ", "0x-1"})
    CHECK_FALSE(parse_number(bad));
  CHECK(parse_nanoseconds("2us") == Number{2000});
  CHECK(parse_nanoseconds("2") == Number{2});
  for (const char* bad : {"1.5", "-1s", "s", "", "1.", "nan", "infs"}) CHECK_FALSE(parse_nanoseconds(bad));
  CHECK(parse_time("1970-01-01T00:00:00Z")->ns == 0);
  CHECK(parse_time("1969-12-31T23:59:59.999999999Z")->ns == -1);
  CHECK(parse_time("2.000000001")->ns == 2'000'000'001);
  for (const char* bad :
       {"", "-1", "1.", ".5", "1.0000000001", "2026-11-24", "2026-11-24T10:00Z", "2026-13-01T00:00:00Z",
        "2026-11-24T24:00:00Z", "2026-11-24T10:00:00", "2026-11-24T10:00:00Zx", "2026-11-24T10:00:00+1:00",
        "2026-11-24T10:00:00.Z", "2026-11--4T10:00:00Z", "inf", "nan"})
    CHECK_FALSE(parse_time(bad));
  CHECK(parse_hex("00fF") == std::string("\0\xff", 2));
  for (const char* bad : {"", "0", "0g", "-1", "+1", "0x"}) CHECK_FALSE(parse_hex(bad));
}
