// Directories that operations take away from the host, with what they hold: nobody may change that between
// the last look at it and the end of the operations.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Before the first of the operations: fills in `Operation::taken_tree`. kStale if something there was
/// changed at `looked_ns` (CLOCK_REALTIME) or later: whoever decided on the operations has looked at it since
/// then.
Result<void> print_outgoing(std::span<Volume* const> volumes, std::span<Operation> operations,
                            std::int64_t looked_ns);

/// After the last of them: kStale names a directory in which something was changed, or what was changed in it
/// at `looked_ns` or later.
Result<void> check_outgoing(std::span<Volume> volumes, std::span<const Operation> operations,
                            std::int64_t looked_ns);

}  // namespace rehearse::promote
