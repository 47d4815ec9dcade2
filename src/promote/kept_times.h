// Directories whose own times a rollback's renames would move.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Operations that give a directory in which objects are only exchanged the time back that it has now, where
/// none of `operations` sets it.
Result<std::vector<Operation>> kept_times(std::span<Volume* const> volumes,
                                          std::span<const Operation> operations);

}  // namespace rehearse::promote
