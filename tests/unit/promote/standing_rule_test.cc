// When runs are enough for a standing approval, and what ends one.
#include <catch2/catch.hpp>

#include "promote/standing_rule.h"

using namespace rehearse;
using namespace rehearse::promote;
using ledger::Print;

namespace {

constexpr std::int64_t kMinute = 60'000'000'000;
constexpr std::int64_t kDay = 1440 * kMinute;
constexpr std::int64_t kNoon = 1000 * kDay + kDay / 2;

Print print(std::int64_t ago, const char* digest = "f", const char* unclean = "") {
  return {"run" + std::to_string(ago), kNoon - ago, "a", digest, "e", "p", "t", unclean};
}

/// `count` runs, the last one now.
std::vector<Print> every(std::int64_t step, int count) {
  std::vector<Print> prints;
  for (int i = count - 1; i >= 0; --i) prints.push_back(print(step * i));
  return prints;
}

Streak streak(const std::vector<Print>& prints) {
  verdict::StandingTable table;
  table.roles = {"operators"};
  return count_streak(prints, print(0), table, kNoon);
}

}  // namespace

TEST_CASE("A hundred independent runs on several days qualify") {
  const Streak good = streak(every(60 * kMinute, 120));
  CHECK(good.missing.empty());
  CHECK(good.runs == 120);
  CHECK(good.days >= 5);
  CHECK(good.newest == "run0");
}

TEST_CASE("A loop does not mint them") {
  CHECK(streak(every(36'000'000'000 / 10, 1000)).runs <= 61);  // a thousand within the hour
  CHECK(!streak(every(36'000'000'000, 100)).missing.empty());  // a hundred within the hour
  const Streak day = streak(every(kMinute, 600));              // ten hours, one day
  CHECK(day.runs == 600);
  CHECK(day.missing == "on 1 of 3 days");
}

TEST_CASE("Retries within a minute count once") {
  CHECK(streak({print(kMinute * 2), print(kMinute * 2 - 1), print(kMinute + 1), print(kMinute)}).runs == 2);
}

TEST_CASE("What is too old, to come, of another action or fingerprint is passed over") {
  auto prints = every(60 * kMinute, 10);
  prints.insert(prints.begin(), print(8 * kDay));
  prints.push_back(print(-kDay));
  prints.push_back(print(5 * kMinute, "g"));
  Print other = print(3 * kMinute);
  other.action = "b";
  other.unclean = "it is red";
  prints.push_back(other);
  CHECK(streak(prints).runs == 10);
}

TEST_CASE("A run that is not clean begins the count anew, also one with other effects") {
  auto prints = every(60 * kMinute, 10);
  prints.insert(prints.begin() + 7, print(2 * 60 * kMinute + kMinute, "g", "the command failed"));
  CHECK(streak(prints).runs == 3);
  prints.push_back(print(0, "f", "it is red"));
  CHECK(streak(prints).runs == 0);
}

TEST_CASE("What 100 clean runs say") {
  CHECK(confidence(100) == "0 of 100 failed: at most 3.0 % of such runs do, at 95 %");
  CHECK(confidence(0) == "nothing is known of it");
}

TEST_CASE("Effects outside an envelope, and changed binaries") {
  const std::vector<std::string> granted = {"file created 0 0644 0:0 /x", "program /bin/a 11",
                                            "program /bin/b c 22"};
  CHECK(ledger::departure(granted, granted).empty());
  CHECK(ledger::departure(granted, {"program /bin/a 11"}).empty());
  CHECK(ledger::departure(granted, {"program /bin/a 12"}) == "another binary: /bin/a has changed");
  CHECK(ledger::departure(granted, {"program /bin/b c 23"}) == "another binary: /bin/b c has changed");
  CHECK(ledger::departure(granted, {"program /bin/c 11"}) == "outside what was granted: program /bin/c 11");
  CHECK(ledger::departure(granted, {"file created 0 0600 0:0 /x"}).starts_with("outside"));
}
