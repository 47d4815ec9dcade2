#include "ledger/gc_policy.h"

#include <catch2/catch.hpp>

using namespace rehearse::ledger;

namespace {

constexpr std::int64_t kDay = 86400LL * 1'000'000'000;
constexpr std::int64_t kNow = 1000 * kDay;

/// Run number `n` is n days older than now and has 100 bytes.
GcCandidate aged(int days) {
  GcCandidate run;
  char id[32];
  std::snprintf(id, sizeof id, "%08d-000000-abcdef", 20300000 - days);
  run.id = id;
  run.created_ns = kNow - days * kDay;
  run.bytes = 100;
  return run;
}

GcPolicy nothing() {
  GcPolicy policy;
  policy.keep.reset();
  policy.older_than_ns.reset();
  policy.max_bytes.reset();
  return policy;
}

std::vector<std::string> ids(const std::vector<GcChoice>& chosen) {
  std::vector<std::string> result;
  for (const GcChoice& choice : chosen) result.push_back(choice.id + " " + choice.reason);
  return result;
}

}  // namespace

TEST_CASE("without a limit nothing is collected") {
  CHECK(choose_for_gc({aged(1), aged(400)}, nothing(), kNow).empty());
  CHECK(choose_for_gc({}, GcPolicy{}, kNow).empty());
}

TEST_CASE("age, number and size each choose the oldest, oldest first, whatever the order given") {
  GcPolicy policy = nothing();
  policy.older_than_ns = 3 * kDay;
  const std::vector<GcCandidate> runs = {aged(1), aged(5), aged(3), aged(4)};
  CHECK(ids(choose_for_gc(runs, policy, kNow)) ==
        std::vector<std::string>{aged(5).id + " age", aged(4).id + " age"});
  policy = nothing();
  policy.keep = 1;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) ==
        std::vector<std::string>{aged(5).id + " count", aged(4).id + " count", aged(3).id + " count"});
  policy = nothing();
  policy.max_bytes = 250;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) ==
        std::vector<std::string>{aged(5).id + " size", aged(4).id + " size"});
  policy.max_bytes = 400;
  CHECK(choose_for_gc(runs, policy, kNow).empty());
}

TEST_CASE("live and pinned runs stay, yet count") {
  std::vector<GcCandidate> runs = {aged(1), aged(2), aged(3)};
  runs[1].live = true;
  runs[2].pinned = true;
  GcPolicy policy;
  policy.all = true;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) == std::vector<std::string>{aged(1).id + " all"});
  policy = nothing();
  policy.max_bytes = 299;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) == std::vector<std::string>{aged(1).id + " size"});
  policy = nothing();
  policy.keep = 1;
  CHECK(choose_for_gc(runs, policy, kNow).empty());
}

TEST_CASE("promoted runs go by age and with all, and are told") {
  std::vector<GcCandidate> runs = {aged(1), aged(2), aged(3)};
  runs[2].promoted = true;
  GcPolicy policy = nothing();
  policy.keep = 1;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) == std::vector<std::string>{aged(2).id + " count"});
  policy = nothing();
  policy.max_bytes = 1;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) ==
        std::vector<std::string>{aged(2).id + " size", aged(1).id + " size"});
  policy = nothing();
  policy.older_than_ns = 2 * kDay + 1;
  const auto chosen = choose_for_gc(runs, policy, kNow);
  REQUIRE(chosen.size() == 1);
  CHECK((chosen[0].id == aged(3).id && chosen[0].promoted));
  policy = nothing();
  policy.all = true;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) ==
        std::vector<std::string>{aged(2).id + " all", aged(1).id + " all"});
  policy.force = true;
  CHECK(choose_for_gc(runs, policy, kNow).size() == 3);
}

TEST_CASE("approved runs wait for their promotion unless all of them are forced out") {
  std::vector<GcCandidate> runs = {aged(1), aged(2)};
  runs[1].approved = true;
  GcPolicy policy = nothing();
  policy.keep = 0;
  policy.older_than_ns = 0;
  policy.max_bytes = 0;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) == std::vector<std::string>{aged(1).id + " age"});
  policy = nothing();
  policy.all = true;
  CHECK(ids(choose_for_gc(runs, policy, kNow)) == std::vector<std::string>{aged(1).id + " all"});
  policy.force = true;
  const auto chosen = choose_for_gc(runs, policy, kNow);
  REQUIRE(chosen.size() == 2);
  CHECK((chosen[0].id == aged(2).id && chosen[0].approved));
}
