#include "report/text_width.h"

#include <catch2/catch.hpp>

using namespace rehearse::report;

TEST_CASE("Width of text on a terminal") {
  CHECK(text_width("") == 0);
  CHECK(text_width("abc") == 3);
  CHECK(text_width("\xc3\xa9") == 1);                  // é
  CHECK(text_width("e\xcc\x81") == 1);                 // e + combining acute
  CHECK(text_width("\xe6\xbc\xa2\xe5\xad\x97") == 4);  // 漢字
  CHECK(text_width("\xf0\x9f\x98\x80") == 2);          // an emoji
  CHECK(text_width("−→…") == 3);
}

TEST_CASE("Fitting cuts the middle and never exceeds the width") {
  CHECK(fit_middle("/short", 20) == "/short");
  const std::string cut = fit_middle("/usr/share/doc/package/a-very-long-name.txt", 20);
  CHECK(text_width(cut) <= 20);
  CHECK(cut.starts_with("/usr/"));
  CHECK(cut.ends_with("name.txt"));
  std::string wide;
  for (int i = 0; i < 50; ++i)
    wide +=
        "\xe6\xbc\xa2"
        "e\xcc\x81";
  for (std::size_t columns = 8; columns < 60; ++columns)
    CHECK(text_width(fit_middle(wide, columns)) <= columns);
  CHECK(text_width(fit_middle(std::string(1 << 20, 'x'), 40)) == 40);
}

TEST_CASE("Wrapping") {
  CHECK(wrap("one two three", 2, 0) == "  one two three\n");
  CHECK(wrap("aaaaaaaaaa bbbbbbbbbb cccccccccc", 2, 24) == "  aaaaaaaaaa bbbbbbbbbb\n  cccccccccc\n");
}
