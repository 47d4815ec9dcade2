// Which directories of the host a list of operations will work in, found before the first of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Writes the numbers of the returned directories into the operations. Everything is where it was before the
/// first operation, which for new directories is the store. kStale names what has lost its directory.
/// One that has changed at `looked_ns` (CLOCK_REALTIME) or later, and so perhaps since it was compared, gets
/// no listing.
Result<std::vector<Directory>> note_directories(std::span<Volume* const> volumes,
                                                std::span<Operation> operations, std::int64_t looked_ns);

}  // namespace rehearse::promote
