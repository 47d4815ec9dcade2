// What the kernel's programs are to record of each system call.
#pragma once

#include "bpf/events.h"

namespace rehearse::trace {

/// Fills all RH_CALLS plans from the table of system calls.
void fill_call_plans(struct rh_call_plan* plans);

}  // namespace rehearse::trace
