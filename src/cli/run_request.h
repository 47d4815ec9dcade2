// The options of `rehearse run`, and the request they make on this host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "sandbox/request.h"
#include "verdict/judge.h"

namespace rehearse::cli {

struct RunOptions {
  std::vector<std::string> argv;
  bool plan_only = false;
  bool passthrough_exit = false;
  std::string timeout, memory, max_write, user, cwd, profile = "shifted", tty = "auto",
                                                     fail_on_word = "yellow";
  std::optional<std::uint64_t> pids;
  std::optional<double> cpus;
  std::vector<std::string> env, hide, mask, unmask;
  verdict::FailOn fail_on = verdict::FailOn::kYellow;
};

/// False when help was printed. kUsage names the option that is wrong.
Result<bool> parse_run_options(Globals& globals, Arguments arguments, RunOptions& options);

/// Resolves users, paths, the environment and the terminal on this host.
Result<sandbox::Request> make_request(const RunOptions& options, const Globals& globals);

}  // namespace rehearse::cli
