#include "base/share_out.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace rehearse {

TEST_CASE("every piece of work is done once, and few need no other thread") {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{10'000}}) {
    CAPTURE(count);
    std::vector<std::atomic<int>> done(count);
    std::atomic<bool> ordered = true;  // Catch's own checks are one thread's
    std::mutex lock;
    std::set<std::thread::id> threads;
    share_out(count, [&] {
      {
        const std::lock_guard guard(lock);
        threads.insert(std::this_thread::get_id());
      }
      return [&, last = std::size_t{0}, begun = false](std::size_t i) mutable {
        // What one thread gets comes in order, so that what it has open serves for the next.
        if (begun && i <= last) ordered = false;
        begun = true;
        last = i;
        ++done[i];
      };
    });
    CHECK(std::all_of(done.begin(), done.end(), [](const auto& times) { return times == 1; }));
    CHECK(ordered);
    CHECK(threads.contains(std::this_thread::get_id()));
    if (count < 512) CHECK(threads.size() == 1);
    CHECK(threads.size() <= std::max(1U, std::thread::hardware_concurrency()));
  }
}

}  // namespace rehearse
