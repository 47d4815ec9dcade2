// Signals by which somebody wants an end (SIGINT, SIGTERM, SIGHUP, SIGQUIT), for work that must not end just
// anywhere: it asks from time to time, and says when it is too late. One for the process. What was ignored
// when it was started (nohup) stays so. Source: signal(7).
#pragma once

#include "base/result.h"

namespace rehearse::stop_request {

/// From here on these signals are noted, and end nothing by themselves. A second one neither.
void listen();

/// An error with the exit code 128 + signal if one came; `so_far` says how things stand ("nothing of the host
/// has changed").
Result<void> check(const char* so_far);

/// From here on a signal is answered with one line on standard error, and nothing else.
void too_late();

}  // namespace rehearse::stop_request
