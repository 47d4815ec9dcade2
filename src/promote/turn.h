// The turn of a promotion or rollback: nobody else's is going on, and what was interrupted is recovered.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/lock.h"

namespace rehearse::promote {

struct Turn {
  std::optional<HostLock> lock;    ///< none: a dry run beside somebody who holds it
  std::vector<std::string> notes;  ///< raw: what recovery did not ask for, or who is at work meanwhile
};

struct TurnWish {
  const std::string& run;
  bool dry_run = false;  ///< changes nothing, and waits for nobody
  std::int64_t wait_ns = 0;
  std::function<void(const std::string&)> waiting;  ///< is told now and then for whom
};

/// kTryLater: somebody has it for longer. kRollbackIncomplete: something was interrupted that can be neither
/// finished nor undone, with what is in the way.
Result<Turn> take_turn(const ledger::StateDir& state, const TurnWish& wish);

}  // namespace rehearse::promote
