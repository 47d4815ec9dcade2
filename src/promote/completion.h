// What recovery needs to finish a list of operations whose last mark is missing.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/site.h"

namespace rehearse::promote {

/// All objects are where the operations put them and have the attributes that these set; but for the times of
/// directories, which the renames themselves move. What was made at `ready_ns` (CLOCK_REALTIME) or later is
/// none of them.
Result<bool> all_done(Site& site, std::span<const Operation> operations, std::int64_t ready_ns);

/// When all is done: what of the host's files was taken to the store is as it was then; where somebody has
/// written to it since, what is to be done is to give it back. Of directories see outgoing.h.
Result<bool> are_untouched(Site& site, std::span<const Operation> operations);

/// What a kAttributes sets, when all objects are in their places.
Result<void> give_settings(Site& site, const Operation& operation);

/// What is left to do when all is done: directories get their times.
Result<void> give_times(Site& site, std::span<const Operation> operations, std::int64_t ready_ns);

}  // namespace rehearse::promote
