// The way back: the operations of a promotion, inverted, through the same commit. Needs nothing but the
// journal that was kept with the run, the objects that were kept, and the manifest to compare with.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/held_files.h"
#include "promote/promote.h"
#include "promote/selection.h"

namespace rehearse::promote {

struct RollbackOrder {
  std::string run;                         ///< id, unique start of one, or "last"
  Selection selection;                     ///< absolute paths
  std::vector<std::string> accept;         ///< changed since, and to be taken back all the same
  HeldOpen held_open = HeldOpen::kRefuse;  ///< not kInPlace
  UnitOrder units;
  bool dry_run = false;
  std::int64_t wait_ns = 10'000'000'000;
  report::Requester who;
  /// How far it is: of `total`, if that is not 0.
  std::function<void(std::string_view phase, std::uint64_t count, std::uint64_t total)> progress;
};

/// Takes back the newest promotion of the run that is (in part) in effect. kStale names what has changed
/// since and takes back nothing, as does kTryLater what somebody writes to. Otherwise as promote_run; a
/// rollback whose unit requests failed is kRollbackIncomplete.
Result<Outcome> roll_back_run(const ledger::StateDir& state, const RollbackOrder& order);

}  // namespace rehearse::promote
