// A counter on the terminal while something long goes on; nothing at all when standard error is not a
// terminal.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "base/clock.h"

namespace rehearse::cli {

class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)), started_(monotonic_ns()), last_(started_) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }
  void clear() {
    if (std::exchange(shown_, false)) std::fputs("\r\x1b[K", stderr);
  }
  /// Cheap; draws at most five times a second, and not in the first half second.
  void show(std::uint64_t count) {
    const std::int64_t now = monotonic_ns();
    if (now - started_ < 500'000'000 || now - last_ < 200'000'000) return;
    last_ = now;
    if (!terminal_) return;
    std::fprintf(stderr, "\r\x1b[K%s: %llu", what_.c_str(), static_cast<unsigned long long>(count));
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  std::string what_;
  std::int64_t started_;
  std::int64_t last_;
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

}  // namespace rehearse::cli
