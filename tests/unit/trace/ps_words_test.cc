#include "trace/ps_words.h"

#include <catch2/catch.hpp>

using rehearse::trace::ps_seeks_others;
using rehearse::trace::ps_selects_by_number;

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

TEST_CASE("whom ps is to show") {
  const auto by_number = [](std::vector<std::string> words) {
    words.insert(words.begin(), "ps");
    return ps_selects_by_number(words);
  };
  CHECK(by_number({"-p", "3"}));
  CHECK(by_number({"-o", "comm=", "--ppid", "3"}));
  CHECK(by_number({"u", "3"}));
  CHECK_FALSE(by_number({}));
  CHECK_FALSE(by_number({"aux"}));
  CHECK_FALSE(by_number({"-eo", "pid,comm"}));
  CHECK_FALSE(by_number({"-p", "3", "-u", "root"}));
  CHECK_FALSE(by_number({"ax", "3"}));
}
