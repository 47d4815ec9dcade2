#include "cli/kept_run.h"

#include <fcntl.h>

#include "base/sys.h"
#include "cli/named_run.h"
#include "ledger/state.h"
#include "rehearsal/judgement.h"
#include "report/json.h"

namespace rehearse::cli {

verdict::Judgement KeptRun::judge(const verdict::Policy& policy) const {
  return judge_record(record, policy, manifest.valid() ? manifest.get() : -1,
                      reads.valid() ? reads.get() : -1);
}

Result<KeptRun> open_recorded_run(const std::string& directory) {
  const auto below = [&](const char* name) {
    return sys::open((directory + '/' + name).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  };
  KeptRun run;
  run.bundle = directory;
  auto text_fd = below("run.json");
  if (!text_fd)
    return fail_errno(text_fd.error().err, "cannot read " + directory + "/run.json", ExitCode::kUsage,
                      "name a run, or the directory of a recorded bundle");
  RH_TRY(const auto text, sys::read_all(text_fd->get()));
  auto record = report::parse_run_json(text);
  if (!record) return with_context(std::move(record).error(), directory + "/run.json");
  run.record = std::move(*record);
  RH_TRY(run.manifest, below("manifest"));
  if (auto reads = below("reads")) run.reads = std::move(*reads);
  return run;
}

Result<KeptRun> open_kept_run(const Globals& globals, const std::string& run) {
  if (run.find('/') != std::string::npos) return open_recorded_run(run);
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, open_named_run(state, run, "explain"));
  if (!bundle.finished())
    return fail("run " + bundle.id() + " has no report: it is still going on or was interrupted",
                ExitCode::kDataError);
  KeptRun kept;
  kept.bundle = state.path() + "/runs/" + bundle.id();
  RH_TRY(kept.record, bundle.read_record());
  RH_TRY(kept.manifest, bundle.open_kept("manifest"));
  if (auto reads = bundle.open_file("reads")) kept.reads = std::move(*reads);
  return kept;
}

}  // namespace rehearse::cli
