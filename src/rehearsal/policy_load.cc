#include "rehearsal/policy_load.h"

#include "base/no_signals.h"
#include "verdict/policy_set.h"

namespace rehearse {

PolicyLoad::~PolicyLoad() {
  if (thread_.joinable()) thread_.join();
}

void PolicyLoad::start() {
  const NoSignals quiet;
  thread_ = std::thread([this] { policy_ = verdict::load_policy(sources_); });
}

Result<void> PolicyLoad::finish() {
  thread_.join();
  if (!policy_) return tl::make_unexpected(policy_.error());
  return {};
}

}  // namespace rehearse
