#include "verdict/failure_patterns.h"

#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::verdict;

namespace {

const std::string kFailuresHead = "schema = \"rehearse.failures/1\"\n";

std::string patterns_error(const std::string& text) {
  const auto patterns = FailurePatterns::parse(text, "p.toml");
  REQUIRE_FALSE(patterns);
  CHECK(patterns.error().exit == ExitCode::kConfig);
  CHECK_FALSE(patterns.error().fix.empty());
  return patterns.error().what;
}

}  // namespace

TEST_CASE("the shipped patterns are read") {
  CHECK(FailurePatterns::shipped().all().size() > 60);
}

TEST_CASE("the first pattern of a line counts, with its subject") {
  const auto patterns = FailurePatterns::parse(kFailuresHead + R"(
[[failure]]
kind = "missing-file"
needle = "gone"
pattern = '^([a-z]+) is gone'
subject = "file"
[[failure]]
kind = "killed"
needle = "gone"
)",
                                               "p.toml");
  REQUIRE(patterns);
  const auto said = patterns->find("abc is gone\n\xff\xfe gone\nnothing\nX is gone");
  REQUIRE(said.size() == 3);
  CHECK(said[0].pattern->kind == FailureKind::kMissingFile);
  CHECK(said[0].subject == "abc");
  CHECK(said[1].pattern->kind == FailureKind::kKilled);
  CHECK(said[2].line == "X is gone");
}

TEST_CASE("only the end of much output is looked at, and the last lines are kept") {
  const auto patterns =
      FailurePatterns::parse(kFailuresHead + "[[failure]]\nkind = \"killed\"\nneedle = \"x\"\n", "p.toml");
  REQUIRE(patterns);
  std::string output = "x first\n" + std::string(kMostScanned, '\n');
  CHECK(patterns->find(output).empty());
  output.clear();
  for (int i = 0; i < 500; ++i) output += "x " + std::to_string(i) + '\n';
  const auto said = patterns->find(output);
  REQUIRE(said.size() == kMostSaid);
  CHECK(said.back().line == "x 499");
}

TEST_CASE("what is wrong with a file of patterns is one line that names the place") {
  CHECK(patterns_error("").starts_with("p.toml:1:1: \"schema\""));
  CHECK(patterns_error(kFailuresHead + "[[failure]]\nneedle = \"x\"\n").find("\"kind\" is missing") !=
        std::string::npos);
  CHECK(patterns_error(kFailuresHead + "[[failure]]\nkind = \"nope\"\nneedle = \"x\"\n")
            .starts_with("p.toml:3:8: "));
  CHECK(patterns_error(kFailuresHead + "[[failure]]\nkind = \"killed\"\n").find("needle") !=
        std::string::npos);
  CHECK(patterns_error(kFailuresHead + "[[failure]]\nkind = \"killed\"\nneedle = \"x\"\npattern = \"(\"\n")
            .starts_with("p.toml:5:11: "));
  CHECK(patterns_error(kFailuresHead + "[[failure]]\nkind = \"killed\"\nneedel = \"x\"\n")
            .starts_with("p.toml:4:1: unknown key"));
}
