// The command line of `rehearse run`.
#pragma once

#include "cli/verbs.h"
#include "rehearse/rehearse.h"
#include "verdict/judge.h"

namespace rehearse::cli {

struct RunOptions {
  Options action;
  bool plan_only = false;
  bool passthrough_exit = false;
  verdict::FailOn fail_on = verdict::FailOn::kYellow;
};

/// False when help was printed. kUsage names the option that is wrong.
Result<bool> parse_run_options(Globals& globals, Arguments arguments, RunOptions& options);

}  // namespace rehearse::cli
