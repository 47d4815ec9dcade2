#include "cli/named_run.h"

#include <cstdio>
#include <vector>

namespace rehearse::cli {
namespace {

constexpr const char* kNoReport = "has no report: it is still going on, or it was cut off";

}  // namespace

Result<ledger::Bundle> open_named_run(const ledger::StateDir& state, const std::string& run, const char* verb,
                                      Newer newer) {
  const std::string name(verb);
  if (run.empty())
    return fail(name + ": no run named", ExitCode::kUsage,
                "write `rehearse " + name + " RUN`, or `last` for RUN");
  auto bundle = state.open_run(run);
  if (run != "last") return bundle;
  RH_TRY(const std::vector<std::string> ids, state.run_ids());
  if (ids.empty() || (bundle && ids.back() == bundle->id())) return bundle;
  const std::string advice = "name it: rehearse " + name + " " + ids.back();
  if (!bundle)
    return fail("there is no finished run: " + ids.back() + " " + kNoReport, ExitCode::kUsage, advice);
  if (newer == Newer::kRefuse)
    return fail("the last run is " + ids.back() + ", which " + kNoReport, ExitCode::kUsage,
                "name the one that is meant: " + ids.back() + " or " + bundle->id());
  std::fprintf(stderr, "rehearse: this is run %s; %s is newer and %s\n", bundle->id().c_str(),
               ids.back().c_str(), kNoReport);
  return bundle;
}

Result<ledger::Bundle> open_named_run(const Globals& globals, const std::string& run, const char* verb) {
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  return open_named_run(state, run, verb);
}

}  // namespace rehearse::cli
