#include "sandbox/layer_release.h"

#include <poll.h>

#include <algorithm>
#include <system_error>

#include "base/no_signals.h"

namespace rehearse::sandbox {
namespace {

/// They wait for the kernel, not for processors.
constexpr std::size_t kMostThreads = 8;
constexpr std::size_t kDescriptorsEach = 32;

}  // namespace

LayerRelease::~LayerRelease() {
  for (std::thread& thread : threads_) thread.join();
}

void LayerRelease::begin(int init_pidfd) {
  const std::size_t wanted = std::min(mounts_.size() / kDescriptorsEach, kMostThreads);
  // A few end sooner with PID 1 than a thread would begin.
  if (wanted < 2) return mounts_.clear();
  try {
    const NoSignals quiet;
    while (threads_.size() < wanted) threads_.emplace_back([this, init_pidfd] { release(init_pidfd); });
  } catch (const std::system_error&) {
    // There may be no more: what none of these lets go is let go by the destructor.
  }
}

void LayerRelease::release(int init_pidfd) {
  // As long as its mount namespace is there, the layers end with that.
  struct pollfd ended = {init_pidfd, POLLIN, 0};
  while (::poll(&ended, 1, -1) < 0) {
  }
  for (std::size_t i = next_++; i < mounts_.size(); i = next_++) mounts_[i].reset();
}

}  // namespace rehearse::sandbox
