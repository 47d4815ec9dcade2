// A run to be judged again: of the state directory, or a recorded bundle anywhere (a directory with run.json,
// manifest and reads), for which no rights are needed.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "cli/verbs.h"
#include "report/run_record.h"
#include "verdict/judge.h"
#include "verdict/policy.h"

namespace rehearse::cli {

struct KeptRun {
  report::RunRecord record;
  UniqueFd manifest;
  UniqueFd reads;      ///< invalid if there is none
  std::string bundle;  ///< its path

  [[nodiscard]] verdict::Judgement judge(const verdict::Policy& policy) const;
};

/// `run` with a slash in it is a path, else a run of the state directory.
Result<KeptRun> open_kept_run(const Globals& globals, const std::string& run);
Result<KeptRun> open_recorded_run(const std::string& directory);

}  // namespace rehearse::cli
