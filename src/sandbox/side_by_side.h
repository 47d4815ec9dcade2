// The same for each of many layers, on a few threads.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace rehearse::sandbox {

/// Calls `work` for 0 to `count` - 1, in any order, on threads with the caller's namespaces, ids and
/// capabilities, and returns when all have been; after an error, no more are begun, and one of the errors is
/// returned. Few calls are made on the calling thread alone.
Result<void> side_by_side(std::uint32_t count, const std::function<Result<void>(std::uint32_t)>& work);

}  // namespace rehearse::sandbox
