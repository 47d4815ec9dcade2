// Calls that read one structure and fill in another, where both lie in the same memory.
#pragma once

#include "trace/record.h"

namespace rehearse::trace {

/// The arguments, a bit each, that point to a structure which the call read and to memory that it had filled
/// in when it returned.
unsigned overwritten_inputs(const Record& record);

}  // namespace rehearse::trace
