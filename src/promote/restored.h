// Directories that operations worked in and that are as they were before, since the operations were taken
// back: that their change times have moved is no reason why the run could not be promoted after all.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/digest.h"
#include "base/result.h"
#include "ledger/state.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// The names in an opened directory with their types and inode numbers, as one digest; of a mount's root
/// without rehearse's own store.
Result<Sha256> print_listing(int directory, bool is_root);

/// Writes down with the run (file `restored` of the bundle) which of them hold what they held when they were
/// noted. `volumes`: by `Directory::volume`; null where the filesystem is gone.
Result<void> note_restored(const ledger::Bundle& bundle, std::span<Volume* const> volumes,
                           std::span<const Directory> directories);

/// Their change times (ns, CLOCK_REALTIME) when that was written down, by absolute path.
using Restored = std::map<std::string, std::int64_t>;
Result<Restored> restored_directories(const ledger::Bundle& bundle);

}  // namespace rehearse::promote
