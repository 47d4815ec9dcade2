// fork(2) and its like return twice: in the caller, and in the new thread with 0, which has called nothing.
// The kernel shows the second to tracepoints like any return; who counts or lists calls wants the first
// alone.
#pragma once

#include "trace/record.h"

namespace rehearse::trace {

/// `exit` is the return of a fork, vfork, clone or clone3 in the new thread.
bool is_second_return(const Record& exit);

}  // namespace rehearse::trace
