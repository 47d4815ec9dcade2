// The run that a verb was told of.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/verbs.h"
#include "ledger/state.h"

namespace rehearse::cli {

/// What to do where `last` is asked for and a newer run has no report: it is still going on, or was cut off.
enum class Newer {
  kSay,     ///< on standard error, and go on with the newest that has
  kRefuse,  ///< kUsage: who removes the wrong one does not get it back
};

/// By its id, the unique start of one, or "last". kUsage if `run` is empty. `verb`: for advice.
Result<ledger::Bundle> open_named_run(const ledger::StateDir& state, const std::string& run, const char* verb,
                                      Newer newer = Newer::kSay);
Result<ledger::Bundle> open_named_run(const Globals& globals, const std::string& run, const char* verb);

}  // namespace rehearse::cli
