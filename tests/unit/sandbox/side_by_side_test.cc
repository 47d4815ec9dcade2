#include "sandbox/side_by_side.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

namespace rehearse::sandbox {
namespace {

TEST_CASE("each is done once, few and many") {
  for (const std::uint32_t count : {0U, 1U, 5U, 500U}) {
    std::vector<std::atomic<int>> done(count);
    REQUIRE(side_by_side(count, [&](std::uint32_t i) -> Result<void> {
      ++done[i];
      return {};
    }));
    for (const auto& times : done) CHECK(times == 1);
  }
}

TEST_CASE("the first error ends it") {
  for (const std::uint32_t count : {5U, 500U}) {
    std::atomic<std::uint32_t> begun = 0;
    const auto result = side_by_side(count, [&](std::uint32_t i) -> Result<void> {
      ++begun;
      return i == 2 ? Result<void>(fail("no third")) : Result<void>();
    });
    REQUIRE_FALSE(result);
    CHECK(result.error().what == "no third");
    if (count == 5) CHECK(begun == 3);
  }
}

}  // namespace
}  // namespace rehearse::sandbox
