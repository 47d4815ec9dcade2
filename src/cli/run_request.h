// The command line of `rehearse run`.
#pragma once

#include "cli/verbs.h"
#include "rehearse/rehearse.h"
#include "verdict/judge.h"

namespace rehearse::cli {

struct RunOptions {
  Options action;
  bool plan_only = false;
  std::int64_t deadline_ns = 0;  ///< by when it has to be promoted, from now on; 0: no matter
  bool passthrough_exit = false;
  verdict::FailOn fail_on = verdict::FailOn::kYellow;
};

/// False when help was printed. kUsage names the option that is wrong.
Result<bool> parse_run_options(Globals& globals, Arguments arguments, RunOptions& options);

}  // namespace rehearse::cli
