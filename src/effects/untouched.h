// Layers that the action has done nothing to: most of a host's mounts, in most runs.
#pragma once

#include <cstdint>

namespace rehearse::effects {

/// True if the upper whose root is `upper` (O_RDONLY|O_DIRECTORY) is as it was made: there is nothing in it,
/// and its root still has the change time `ctime_ns`, which must be older than any that it can have got
/// since. Then there is nothing to be compared. False where that is not known.
bool is_untouched(int upper, std::int64_t ctime_ns);

}  // namespace rehearse::effects
