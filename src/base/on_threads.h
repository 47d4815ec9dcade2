// One function on several threads at once.
#pragma once

#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include "base/no_signals.h"

namespace rehearse {

enum class On : bool { kCaller, kHelper };

/// Calls `run(On)` on the calling thread and on `wanted` - 1 others, which get no signals, and returns when
/// all have returned. There may be no more threads: those that there are do it all.
template <class Run>
void on_threads(std::size_t wanted, const Run& run) {
  std::vector<std::thread> helpers;
  try {
    const NoSignals quiet;
    while (helpers.size() + 1 < wanted) helpers.emplace_back([&run] { run(On::kHelper); });
  } catch (const std::system_error&) {
  }
  run(On::kCaller);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace rehearse
