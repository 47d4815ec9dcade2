// What recovery needs to finish a list of operations whose last mark is missing.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/site.h"

namespace rehearse::promote {

/// All objects are where the operations put them.
Result<bool> all_done(Site& site, std::span<const Operation> operations);

/// What a kAttributes sets, when all objects are in their places.
Result<void> give_settings(Site& site, const Operation& operation);

/// The same for all of them, after a crash that may have come before. Returns, a line each, what somebody has
/// moved, replaced or removed meanwhile: it is left as it is.
Result<std::vector<std::string>> give_all_settings(Site& site, std::span<const Operation> operations);

}  // namespace rehearse::promote
