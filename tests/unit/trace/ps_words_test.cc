#include "trace/ps_words.h"

#include <catch2/catch.hpp>

using rehearse::trace::ps_seeks_others;

TEST_CASE("what ps is asked for") {
  const auto inside = [](std::uint32_t number) { return number == 3; };
  const auto seeks = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "ps");
    return ps_seeks_others(words, inside);
  };
  CHECK_FALSE(seeks({}));
  CHECK_FALSE(seeks({"aux"}));
  CHECK_FALSE(seeks({"-ef"}));
  CHECK_FALSE(seeks({"-eo", "pid,comm"}));
  CHECK_FALSE(seeks({"axo", "12"}));
  CHECK_FALSE(seeks({"-p", "3"}));
  CHECK_FALSE(seeks({"-o", "comm=", "--pid=3"}));
  CHECK_FALSE(seeks({"3"}));
  CHECK(seeks({"-p", "812"}));
  CHECK(seeks({"-fp812"}));
  CHECK(seeks({"-p", "3,812"}));
  CHECK(seeks({"p", "812"}));
  CHECK(seeks({"812"}));
  CHECK(seeks({"--ppid", "1"}));
  CHECK(seeks({"--pid=99999999999"}));
  CHECK(seeks({"-oC"}) == false);
  CHECK(seeks({"-C", "sleep"}));
  CHECK(seeks({"-fC", "sleep"}));
}
