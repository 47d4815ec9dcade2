// A counter on the terminal while something long goes on; nothing at all when standard error is not a
// terminal.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"

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
  void show(std::uint64_t count) { show({}, count, 0); }
  /// With what is being done, and of how many, where there is anything to say of it.
  void show(std::string_view phase, std::uint64_t count, std::uint64_t total) {
    const std::int64_t now = monotonic_ns();
    if (now - started_ < 500'000'000 || now - last_ < 200'000'000) return;
    last_ = now;
    if (!terminal_) return;
    std::string line = what_;
    if (!phase.empty() && phase != what_) line += (": " + escape_text(phase));
    if (count != 0) line += ": " + std::to_string(count);
    if (total != 0) line += " of " + std::to_string(total);
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
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
