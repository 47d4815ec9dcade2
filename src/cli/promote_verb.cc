// rehearse promote RUN@DIGEST: installs on the host what the run did, all of it or nothing.

#include "base/heap.h"
#include "cli/command_line.h"
#include "cli/install_options.h"
#include "cli/progress.h"
#include "cli/run_at.h"
#include "promote/promote.h"
#include "report/contained_text.h"

namespace rehearse::cli {
namespace {

constexpr std::size_t kHeapOfPromotion = std::size_t{1} << 20U;  // what a small one takes

/// What the run did beside its files is no operation, and is not left out by anybody's choice.
void note_contained(const ledger::StateDir& state, const std::string& run, promote::Outcome& outcome) {
  const auto bundle = state.open_run(run);
  const auto record = bundle ? bundle->read_record() : tl::make_unexpected(bundle.error());
  if (!record) return;  // of a run that cannot be read the outcome says so
  for (const std::string& line : report::contained_lines(*record))
    outcome.notes.push_back("not promoted, it took place in the run alone: " + line);
}

}  // namespace

Result<int> promote_verb(Globals& globals, Arguments arguments) {
  promote::Order order;
  std::string run;
  std::string held_open = "refuse";
  InstallOptions install;
  std::vector<std::string> ignore;
  bool commit = false;
  CommandLine line("Install on the host exactly what was rehearsed, all of it or nothing", "promote",
                   globals);
  line.option("RUN@DIGEST", run, "The run and its digest, as the report prints them (required)");
  line.flag("--commit", commit, "Install the rehearsed bytes (the default)");
  line.option("--only", order.selection.only, "Only these paths, each with all below").type_name("PATH");
  line.option("--except", order.selection.except, "Not these paths, nor what is below").type_name("PATH");
  line.option("--accept", order.staleness.accept, "Overwrite these although the host has moved")
      .type_name("PATH");
  line.option("--stale-ignore", ignore, "Path globs whose moving does not matter, beside logs and caches")
      .type_name("GLOB");
  line.option("--held-open", held_open,
              "Files that a process has open for writing: refuse, replace or in-place")
      .one_of({"refuse", "replace", "in-place"})
      .type_name("HOW");
  install.add_to(line, order.dry_run);
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  warm_heap(kHeapOfPromotion);
  RH_CHECK(install.read(order.units, order.wait_ns));
  RH_CHECK(find_run(run, {&order.selection.only, &order.selection.except, &order.staleness.accept, &ignore},
                    "RUN@DIGEST", "promote"));
  RH_TRY(order.selection.only, absolute_paths(order.selection.only, "--only"));
  RH_TRY(order.selection.except, absolute_paths(order.selection.except, "--except"));
  RH_TRY(order.staleness.accept, absolute_paths(order.staleness.accept, "--accept"));
  for (std::string& glob : ignore) order.staleness.ignore.push_back({std::move(glob), "--stale-ignore"});
  order.held_open = held_open == "replace"    ? promote::HeldOpen::kReplace
                    : held_open == "in-place" ? promote::HeldOpen::kInPlace
                                              : promote::HeldOpen::kRefuse;
  order.who = requester();

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(order.run, resolve_run(state, run));
  prepare_process();
  Progress progress("promoting");
  order.progress = [&progress](std::string_view phase, std::uint64_t count, std::uint64_t total) {
    progress.show(phase, count, total);
  };
  RH_TRY(promote::Outcome outcome, promote::promote_run(state, order));
  progress.clear();
  if (!outcome.rollback) note_contained(state, order.run.run, outcome);
  return print_outcome(globals, std::move(outcome));
}

}  // namespace rehearse::cli
