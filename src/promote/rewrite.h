// Gives a file other bytes and leaves it the object that it is.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/site.h"

namespace rehearse::promote {

/// The bytes of `source`, in the store, into the file at `to` of a kRewrite, which has `old_size` bytes now.
/// kStale if another file stands there.
Result<void> rewrite(Site& site, const Operation& operation, const Place& source, std::uint64_t old_size);

}  // namespace rehearse::promote
