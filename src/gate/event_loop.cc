#include "gate/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "base/sys.h"

namespace rehearse::gate {
namespace {

constexpr int kBatch = 256;
constexpr std::int64_t kMillisecond = 1'000'000;

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  loop->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_.valid()) return sys::last_error("epoll_create1");
  loop->now_ = monotonic_ns();
  return loop;
}

Result<void> EventLoop::control(int operation, int fd, std::uint32_t events, Watcher& watcher) {
  struct epoll_event event = {};
  event.events = events;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return sys::last_error("epoll_ctl");
  return {};
}

Result<void> EventLoop::watch(int fd, std::uint32_t events, Watcher& watcher) {
  return control(EPOLL_CTL_ADD, fd, events, watcher);
}

Result<void> EventLoop::change(int fd, std::uint32_t events, Watcher& watcher) {
  return control(EPOLL_CTL_MOD, fd, events, watcher);
}

void EventLoop::again(Watcher& watcher) {
  if (watcher.queued_) return;
  watcher.queued_ = true;
  again_.push_back(&watcher);
}

void EventLoop::forget(Watcher& watcher) {
  if (!watcher.queued_) return;
  watcher.queued_ = false;
  std::erase(again_, &watcher);
  std::ranges::replace(running_, &watcher, nullptr);
}

/// Milliseconds to wait, rounded up: a timer is never early.
int EventLoop::patience(std::int64_t most_ns) const {
  if (!again_.empty()) return 0;
  std::int64_t wait = most_ns;
  if (timers_.next() >= 0) wait = std::min(wait, timers_.next() - monotonic_ns());
  return static_cast<int>((std::max<std::int64_t>(wait, 0) + kMillisecond - 1) / kMillisecond);
}

Result<void> EventLoop::turn(std::int64_t most_ns) {
  std::array<struct epoll_event, kBatch> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
  const int count = ::epoll_wait(epoll_.get(), events.data(), kBatch, patience(most_ns));
  if (count < 0 && errno != EINTR) return sys::last_error("epoll_wait");
  now_ = monotonic_ns();
  for (int i = 0; i < count; ++i) {
    const struct epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
  }
  running_.swap(again_);
  for (Watcher*& watcher : running_) {
    if (watcher == nullptr) continue;
    watcher->queued_ = false;
    watcher->on_ready(0);
  }
  running_.clear();
  timers_.run(now_);
  return {};
}

}  // namespace rehearse::gate
