// Freezes a run whose rings are nearly full until they have been read. A thread of its own with real-time
// priority that sleeps until the kernel rings: measured, anything else loses records.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/result.h"
#include "trace/ring_slot.h"

namespace rehearse::trace {

class Governor {
 public:
  /// `wake` makes the reader of the rings read now. All are borrowed.
  static Result<std::unique_ptr<Governor>> start(RingSlot& slot, int cgroup, std::function<void()> wake);
  Governor(const Governor&) = delete;
  Governor& operator=(const Governor&) = delete;
  /// Thaws, whatever happened.
  ~Governor();

  /// What the governor wants at this moment: to be handed back by `emptied`.
  [[nodiscard]] std::uint64_t asked() const { return asked_; }
  /// The reader has emptied the rings since it took `asked`.
  void emptied(std::uint64_t asked);
  /// For the reader, now and then: a run that stays frozen because this thread is stuck is killed, as one is
  /// whose reader is. Each watches the other.
  void watch();

  [[nodiscard]] std::uint64_t freezes() const { return freezes_; }
  [[nodiscard]] std::int64_t frozen_ns() const { return frozen_ns_; }
  [[nodiscard]] bool real_time() const { return real_time_; }
  /// The reader did not answer in time, and the run was killed.
  [[nodiscard]] bool gave_up() const { return gave_up_; }

 private:
  Governor(RingSlot& slot, std::function<void()> wake) : slot_(slot), wake_(std::move(wake)) {}
  void run();
  void relieve();
  void give_up();
  [[nodiscard]] bool any_above(std::uint64_t parts) const;
  [[nodiscard]] bool any_above_mark() const;

  RingSlot& slot_;
  std::function<void()> wake_;
  UniqueFd freeze_;
  UniqueFd kill_;
  UniqueFd stop_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::atomic<std::uint64_t> asked_ = 0;
  std::uint64_t answered_for_ = 0;
  std::atomic<std::uint64_t> freezes_ = 0;
  std::atomic<std::int64_t> frozen_ns_ = 0;
  std::atomic<std::int64_t> frozen_since_ = 0;  ///< CLOCK_MONOTONIC; 0: it is not frozen
  std::atomic<bool> real_time_ = false;
  std::atomic<bool> gave_up_ = false;
  std::thread thread_;
};

}  // namespace rehearse::trace
