// Moments of one thread, the nearest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rehearse::gate {

class TimerQueue;

/// Something that is to be told when its moment has come. In at most one queue, which it leaves when it goes.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();
  /// Once a set().
  virtual void on_time() = 0;

 private:
  friend class TimerQueue;
  TimerQueue* queue_ = nullptr;  ///< that it is in
  std::size_t place_ = 0;
  std::int64_t at_ = 0;
};

/// A heap that knows where each timer is, so that it holds as many entries as there are timers, however often
/// they are set. Not thread safe; outlives its timers.
class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  /// At that time of CLOCK_MONOTONIC, in nanoseconds, whenever it was set to before.
  void set(Timer& timer, std::int64_t at_ns);
  void cancel(Timer& timer);
  /// Of the next timer; -1 if there is none.
  [[nodiscard]] std::int64_t next() const { return heap_.empty() ? -1 : heap_.front()->at_; }
  /// Tells all whose moment is not after `now_ns`, each after it was taken out.
  void run(std::int64_t now_ns);

 private:
  void put(std::size_t place, Timer* timer);
  void rise(std::size_t place);
  void sink(std::size_t place);

  std::vector<Timer*> heap_;
};

}  // namespace rehearse::gate
