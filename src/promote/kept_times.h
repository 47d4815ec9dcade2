// Directories whose own times a rollback's renames would move.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Operations that give a directory in which objects are only exchanged the time back that it has now, where
/// none of `operations` sets it; those in `timed` (place_key) also where objects come and go.
Result<std::vector<Operation>> kept_times(std::span<Volume* const> volumes,
                                          std::span<const Operation> operations,
                                          const std::set<std::string>& timed = {});

}  // namespace rehearse::promote
