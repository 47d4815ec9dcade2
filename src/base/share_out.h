// Many small pieces of work, each by itself, on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>

#include "base/on_threads.h"

namespace rehearse {

/// Calls `work(i)` for every i below `count`, where `work` is what `begin_work()` returns: each thread has
/// its own, and gets its share in ascending order. Few are done by the caller alone.
template <class BeginWork>
void share_out(std::size_t count, const BeginWork& begin_work) {
  constexpr std::size_t kMostThreads = 8;
  constexpr std::size_t kPiece = 32;
  constexpr std::size_t kWorthAThread = 256;
  const std::size_t processors = std::thread::hardware_concurrency();
  std::atomic<std::size_t> next = 0;
  on_threads(std::min({kMostThreads, processors, count / kWorthAThread}), [&](On) {
    auto work = begin_work();
    for (std::size_t at = 0; (at = next.fetch_add(kPiece)) < count;) {
      for (std::size_t i = at; i < std::min(at + kPiece, count); ++i) work(i);
    }
  });
}

}  // namespace rehearse
