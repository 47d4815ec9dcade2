#include "rehearsal/policy_load.h"

#include <pthread.h>

#include <csignal>

#include "verdict/policy_set.h"

namespace rehearse {

PolicyLoad::~PolicyLoad() {
  if (thread_.joinable()) thread_.join();
}

void PolicyLoad::start() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { policy_ = verdict::load_policy(sources_); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Result<void> PolicyLoad::finish() {
  thread_.join();
  if (!policy_) return tl::make_unexpected(policy_.error());
  return {};
}

}  // namespace rehearse
