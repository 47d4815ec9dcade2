// A signal that the kernel may send for what this process asks of it, and that says nothing.
#pragma once

#include <csignal>

namespace rehearse {

/// The whole process ignores `signal` until this goes. Not while it starts programs: they would ignore it
/// too. Source: sigaction(2).
class IgnoredSignal {
 public:
  explicit IgnoredSignal(int signal) : signal_(signal) {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(signal_, &ignore, &before_);
  }
  IgnoredSignal(const IgnoredSignal&) = delete;
  IgnoredSignal& operator=(const IgnoredSignal&) = delete;
  ~IgnoredSignal() { ::sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_ = {};
};

}  // namespace rehearse
