// Buffered text output to a descriptor or to memory.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse::report {

/// What to tell a person whose standard output did not take all there was to say.
Error standard_output_error(int err);

/// Collects text and writes it in 64 KiB pieces. The first error sticks and is returned by `flush`; what
/// follows is dropped. Does not own the descriptor. Without one, everything stays in memory (`text`).
class Writer {
 public:
  Writer() = default;
  explicit Writer(int fd) : fd_(fd) {}
  void put(std::string_view text) {
    buffer_.append(text);
    if (fd_ >= 0 && buffer_.size() >= kFlushAt) spill();
  }
  void put(char c) { buffer_.push_back(c); }
  [[nodiscard]] bool failed() const { return !status_.has_value(); }
  [[nodiscard]] const std::string& text() const { return buffer_; }
  Result<void> flush();

 private:
  static constexpr std::size_t kFlushAt = 64U * 1024;
  void spill();
  int fd_ = -1;
  std::string buffer_;
  Result<void> status_;
};

}  // namespace rehearse::report
