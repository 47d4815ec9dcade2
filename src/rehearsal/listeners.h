// Where the action waited to be reached, for the report.
#pragma once

#include <cstdint>
#include <vector>

#include "report/run_record.h"
#include "trace/listening_sockets.h"

namespace rehearse {

/// In the order in which they were first there; `begun_ns`: CLOCK_MONOTONIC.
std::vector<report::ListenerRecord> describe_listeners(const trace::ListeningSockets& sockets,
                                                       std::uint64_t begun_ns);

}  // namespace rehearse
