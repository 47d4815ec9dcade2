// Signals are for the thread that waits for them: one that is started while this is in force gets none.
#pragma once

#include <pthread.h>

#include <csignal>

namespace rehearse {

/// Blocks all signals of the calling thread until it goes. Source: pthread_sigmask(3).
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_ = {};
};

}  // namespace rehearse
