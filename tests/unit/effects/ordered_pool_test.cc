#include "effects/ordered_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <set>

using namespace rehearse::effects;

namespace {

constexpr int kMany = 20'000;

/// Work of uneven length, so that batches end out of order.
void spin(int task) {
  int turns = task % 257 == 0 ? 20'000 : 20;
  while (turns > 0) {
    asm volatile("" : "+r"(turns));  // the loop stays
    --turns;
  }
}

}  // namespace

TEST_CASE("results come in the order of submission, on the submitting thread") {
  for (const unsigned threads : {1U, 2U, 8U}) {
    std::vector<int> delivered;
    bool here = true;
    const auto caller = std::this_thread::get_id();
    OrderedPool<int, int> pool(
        threads,
        [](int& task, std::vector<int>& results) {
          spin(task);
          results.push_back(task);
        },
        [&](std::vector<int>& results) {
          here = here && std::this_thread::get_id() == caller;
          delivered.insert(delivered.end(), results.begin(), results.end());
          return true;
        });
    for (int i = 0; i < kMany; ++i) REQUIRE(pool.submit(i));
    REQUIRE(pool.finish());
    REQUIRE(delivered.size() == kMany);
    CHECK(std::is_sorted(delivered.begin(), delivered.end()));
    CHECK(here);
  }
}

TEST_CASE("no more than a few thousand tasks are alive at once") {
  std::atomic<int> alive = 0;
  int most = 0;
  struct Task {
    std::atomic<int>* alive;
  };
  OrderedPool<Task, int> pool(
      4, [](Task& task, std::vector<int>& results) { results.push_back(task.alive->load()); },
      [&](std::vector<int>& results) {
        alive -= static_cast<int>(results.size());
        return true;
      });
  for (int i = 0; i < kMany; ++i) {
    most = std::max(most, ++alive);
    REQUIRE(pool.submit({&alive}));
  }
  REQUIRE(pool.finish());
  CHECK(alive == 0);
  CHECK(most <= 25 * 128);
}

TEST_CASE("a small job starts no thread") {
  std::set<std::thread::id> workers;
  OrderedPool<int, int> pool(
      8, [&](int&, std::vector<int>&) { workers.insert(std::this_thread::get_id()); },
      [](std::vector<int>&) { return true; });
  for (int i = 0; i < 100; ++i) REQUIRE(pool.submit(i));
  REQUIRE(pool.finish());
  CHECK(workers == std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST_CASE("a refused result ends it, and nothing is delivered after") {
  int deliveries = 0;
  OrderedPool<int, int> pool(
      4, [](int& task, std::vector<int>& results) { results.push_back(task); },
      [&](std::vector<int>&) { return ++deliveries < 3; });
  bool going = true;
  for (int i = 0; i < kMany && going; ++i) going = pool.submit(i);
  CHECK(!going);
  CHECK(!pool.finish());
  CHECK(deliveries == 3);
}

TEST_CASE("a pool can be dropped half-way") {
  std::atomic<int> worked = 0;
  {
    OrderedPool<int, int> pool(
        4,
        [&](int& task, std::vector<int>&) {
          spin(task);
          ++worked;
        },
        [](std::vector<int>&) { return true; });
    for (int i = 0; i < 2000; ++i) REQUIRE(pool.submit(i));
  }
  CHECK(worked <= 2000);
}
