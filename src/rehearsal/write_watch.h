// Watches an action that may not write, and says at once when it tries to.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "trace/write_attempts.h"

namespace rehearse {

/// Any thread may note an attempt while the action runs.
class WriteWatch {
 public:
  static Result<std::unique_ptr<WriteWatch>> create();

  void note(trace::WriteAttempt attempt);
  /// Readable from the first attempt on; owned by the watch.
  [[nodiscard]] int stop() const { return stop_.get(); }

  /// Nothing notes any more. The first of them, in order.
  [[nodiscard]] const std::vector<trace::WriteAttempt>& attempts() const { return attempts_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  explicit WriteWatch(UniqueFd stop) : stop_(std::move(stop)) {}

  UniqueFd stop_;
  std::mutex mutex_;
  std::vector<trace::WriteAttempt> attempts_;
  std::uint64_t total_ = 0;
};

}  // namespace rehearse
