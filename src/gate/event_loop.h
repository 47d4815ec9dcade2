// Waits for descriptors and moments and tells who has asked (epoll(7)).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "gate/timer_queue.h"

namespace rehearse::gate {

class EventLoop {
 public:
  /// Told when its descriptor is ready. One that is no longer wanted is forgotten, and goes after the turn:
  /// the kernel may have named it in what it said last.
  class Watcher {
   public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual ~Watcher() = default;
    /// EPOLLIN, EPOLLOUT, ...: what is possible, or with EPOLLET has become so since it was tried in vain. 0:
    /// its turn has come again.
    virtual void on_ready(std::uint32_t events) = 0;

   private:
    friend class EventLoop;
    bool queued_ = false;
  };

  static Result<std::unique_ptr<EventLoop>> create();

  /// Until the descriptor is closed. Both outlive that.
  Result<void> watch(int fd, std::uint32_t events, Watcher& watcher);
  /// Other events of a descriptor that is watched.
  Result<void> change(int fd, std::uint32_t events, Watcher& watcher);
  /// For whoever stops before it has tried in vain, so that others are not kept waiting: on_ready(0) in the
  /// next turn.
  void again(Watcher& watcher);
  /// Takes back again().
  void forget(Watcher& watcher);
  TimerQueue& timers() { return timers_; }

  /// The time of CLOCK_MONOTONIC when the turn began, in nanoseconds.
  [[nodiscard]] std::int64_t now() const { return now_; }
  /// Waits until something is due, at most `most_ns`, and tells it.
  Result<void> turn(std::int64_t most_ns);

 private:
  EventLoop() = default;
  Result<void> control(int operation, int fd, std::uint32_t events, Watcher& watcher);
  [[nodiscard]] int patience(std::int64_t most_ns) const;

  UniqueFd epoll_;
  TimerQueue timers_;
  std::vector<Watcher*> again_;
  std::vector<Watcher*> running_;  ///< of again_, in this turn; null if forgotten
  std::int64_t now_ = 0;
};

}  // namespace rehearse::gate
