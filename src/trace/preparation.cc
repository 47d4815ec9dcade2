#include "trace/preparation.h"

#include <utility>

#include "base/no_signals.h"

namespace rehearse::trace {

Result<Prepared> prepare() {
  RH_TRY(auto programs, Programs::open());
  RH_CHECK(programs.attach());
  RH_TRY(auto slot, RingSlot::claim(programs));
  return Prepared{std::move(programs), std::move(slot)};
}

Preparation::Preparation() {
  const NoSignals quiet;
  thread_ = std::thread([this] { prepared_.emplace(prepare()); });
}

Preparation::~Preparation() {
  if (thread_.joinable()) thread_.join();
}

Result<Prepared> Preparation::take() {
  thread_.join();
  return std::move(*prepared_);
}

}  // namespace rehearse::trace
