#include "trace/df_words.h"

#include <catch2/catch.hpp>

using rehearse::trace::df_asks;

TEST_CASE("what df is asked for") {
  const auto kinds = [](std::vector<std::string> words) {
    words.insert(words.begin(), "df");
    return df_asks(words).kinds;
  };
  CHECK_FALSE(kinds({}));
  CHECK_FALSE(kinds({"-h", "/T"}));
  CHECK_FALSE(kinds({"-BT"}));
  CHECK_FALSE(kinds({"--output=source,size", "/"}));
  CHECK_FALSE(kinds({"--", "-T"}));
  CHECK(kinds({"-T"}));
  CHECK(kinds({"-hT", "/"}));
  CHECK(kinds({"/", "--print-type"}));
  CHECK(kinds({"-x", "tmpfs"}));
  CHECK(kinds({"--type=ext4"}));
  CHECK(kinds({"--output"}));
  CHECK(kinds({"--output=target,fstype"}));
  CHECK(df_asks({"df", "--output=source"}).sources);
  CHECK(df_asks({"df", "--output"}).sources);
  CHECK_FALSE(df_asks({"df", "-T"}).sources);
}
