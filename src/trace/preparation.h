// What a recording needs before there is anything to record: the programs, attached, and rings of its own.
// The kernel lets one wait for each of these, so that it is done on a thread while the run is planned.
#pragma once

#include <optional>
#include <thread>

#include "base/result.h"
#include "trace/programs.h"
#include "trace/ring_slot.h"

namespace rehearse::trace {

/// Nothing is recorded yet, since no run is known to the programs. They are detached with it.
struct Prepared {
  Programs programs;
  RingSlot slot;
};

/// Programs are found or loaded, attached, and a slot claimed. Fails as Programs and RingSlot do.
Result<Prepared> prepare();

/// The same on a thread of its own, begun at once.
class Preparation {
 public:
  Preparation();
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;
  /// Waits, and detaches what nobody has taken.
  ~Preparation();

  /// Waits. Once.
  Result<Prepared> take();

 private:
  std::optional<Result<Prepared>> prepared_;
  std::thread thread_;
};

}  // namespace rehearse::trace
