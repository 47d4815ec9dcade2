#include "rehearsal/policy_load.h"

#include "base/heap.h"
#include "base/no_signals.h"
#include "verdict/policy_set.h"

namespace rehearse {
namespace {

constexpr std::size_t kHeapOfPolicy = std::size_t{768} * 1024;  // what is built in takes

}  // namespace

PolicyLoad::~PolicyLoad() {
  if (thread_.joinable()) thread_.join();
}

void PolicyLoad::start() {
  const NoSignals quiet;
  thread_ = std::thread([this] {
    warm_heap(kHeapOfPolicy);
    policy_ = verdict::load_policy(sources_);
  });
}

Result<void> PolicyLoad::finish() {
  thread_.join();
  if (!policy_) return tl::make_unexpected(policy_.error());
  return {};
}

}  // namespace rehearse
