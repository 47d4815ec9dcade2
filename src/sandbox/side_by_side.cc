#include "sandbox/side_by_side.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/no_signals.h"
#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr std::uint32_t kFew = 16;    // a thread costs as much as one layer
constexpr unsigned kMostThreads = 4;  // the kernel does parts of it one by one: more do not help

}  // namespace

Result<void> side_by_side(std::uint32_t count, const std::function<Result<void>(std::uint32_t)>& work) {
  std::atomic<std::uint32_t> next = 0;
  std::mutex mutex;
  Result<void> result;
  const auto note = [&](Result<void> done) {
    if (done) return;
    next = count;
    const std::lock_guard lock(mutex);
    if (result) result = std::move(done);
  };
  const auto take = [&] {
    for (std::uint32_t i = next++; i < count; i = next++) note(work(i));
  };
  const unsigned wanted =
      count < kFew ? 1 : std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
  std::vector<std::thread> helpers;
  const auto help = [&] {
    // Who shares its directories with another thread can leave no mount namespace, and this one is still on
    // its way out when it has been joined.
    if (auto apart = sys::unshare(CLONE_FS); !apart) return note(std::move(apart));
    take();
  };
  try {
    const NoSignals quiet;
    while (helpers.size() + 1 < wanted) helpers.emplace_back(help);
  } catch (const std::system_error&) {
    // There may be no more threads: those that there are do it all.
  }
  take();
  for (std::thread& helper : helpers) helper.join();
  return result;
}

}  // namespace rehearse::sandbox
