// What promotions of a run keep outside its bundle: a directory `.rehearse/RUN` in the root of each mount
// that lies on another filesystem than the bundle. It goes when the run goes.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "ledger/state.h"

namespace rehearse::promote {

/// Disk space of it all. Stores whose filesystem is not mounted count nothing.
Result<std::uint64_t> store_bytes(const ledger::Bundle& bundle);

/// Removes it all; to be called before the bundle goes, which knows where the stores are. kTryLater if a
/// promotion of the run waits for recovery, or if a filesystem that holds something of it is not mounted:
/// then nothing is removed.
Result<void> remove_stores(const ledger::StateDir& state, const ledger::Bundle& bundle);

}  // namespace rehearse::promote
