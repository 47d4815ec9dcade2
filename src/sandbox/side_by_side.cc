#include "sandbox/side_by_side.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/on_threads.h"
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
  const unsigned wanted =
      count < kFew ? 1 : std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
  on_threads(wanted, [&](On on) {
    // Who shares its directories with another thread can leave no mount namespace, and this one is still on
    // its way out when it has been joined.
    if (on == On::kHelper) {
      if (auto apart = sys::unshare(CLONE_FS); !apart) return note(std::move(apart));
    }
    for (std::uint32_t i = next++; i < count; i = next++) note(work(i));
  });
  return result;
}

}  // namespace rehearse::sandbox
