// Whether much more or much less is allocated to a file of the same content.
#pragma once

#include "effects/change.h"

namespace rehearse::effects {

/// Of two files of equal content, each a name in a directory: whether what is allocated to them differs by
/// more than copy-up and the habits of filesystems explain. Copy-up loses what is allocated and was never
/// written to, and fills small holes; what only that can have done is none of the action's. Where a file
/// cannot be looked at it does not differ.
bool is_allocated_otherwise(int before_dir, const char* before_name, const Attributes& before, int after_dir,
                            const char* after_name, const Attributes& after);

}  // namespace rehearse::effects
