// Rehearsing inside of a rehearsal.
#pragma once

#include "base/result.h"

namespace rehearse::sandbox {

/// kUnavailable if this process belongs to an action: the filter would refuse the calls that a sandbox is
/// made with, one by one and without a reason. Told by the name of PID 1, which nobody inside can change.
Result<void> refuse_nested();

}  // namespace rehearse::sandbox
