// What a rollback expects of each object, taken from the host as it is now, and what has changed since the
// promotion.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "effects/change.h"
#include "promote/journal.h"
#include "promote/operation.h"
#include "promote/staleness.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Of the manifest's objects after the run, by absolute path.
using RecordedObjects = std::unordered_map<std::string, std::pair<effects::FileType, effects::Attributes>>;

/// Everything is borrowed.
struct RollbackBinding {
  std::span<Volume* const> volumes;
  std::vector<std::int64_t> time_grains_ns;  ///< of each volume (time_grain.h)
  /// Those of the promotion, inverted: get what stands now, and how what was accepted is taken back; what is
  /// in the way of a renamed object goes to the store before. A
  /// rewrite of what was edited comes back without `saved`: its bytes are yet to be saved.
  std::vector<Operation>& operations;
  const std::string& tag;  ///< of what this rollback makes in the store
  const RecordedObjects& after;
  std::int64_t settled_ns = 0;  ///< when the promotion was over: what has not changed since is as it left it
  const std::vector<std::string>& accept;  ///< paths that the operator named: edits there do not stop it
  std::vector<std::string>& left;          ///< gets what is gone, so that nothing is done about it
  std::vector<Operation>& given_up;        ///< gets those operations, inverted as they are
  std::vector<Kept>& kept;                 ///< gets what of somebody else's is kept, and where
};

/// What has changed comes back in `result`; an error: what was kept is gone.
Result<void> bind_rollback(const RollbackBinding& order, Staleness& result);

}  // namespace rehearse::promote
