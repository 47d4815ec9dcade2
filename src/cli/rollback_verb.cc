// rehearse rollback RUN [PATH...]: takes back what promoting the run did.

#include "base/heap.h"
#include "cli/command_line.h"
#include "cli/install_options.h"
#include "cli/progress.h"
#include "cli/run_at.h"
#include "promote/rollback.h"

namespace rehearse::cli {
namespace {

constexpr std::size_t kHeapOfRollback = std::size_t{768} * 1024;  // what a small one takes

}  // namespace

Result<int> rollback_verb(Globals& globals, Arguments arguments) {
  promote::RollbackOrder order;
  std::string held_open = "refuse";
  InstallOptions install;
  CommandLine line("Take back what promoting a run did, all of it or nothing", "rollback", globals);
  line.option("RUN", order.run, "Run id, the unique start of one, or `last` (required)");
  line.option("PATH", order.selection.only, "Only these paths, each with all below");
  line.option("--except", order.selection.except, "Not these paths, nor what is below").type_name("PATH");
  line.option("--accept", order.accept, "Take back these although they were changed since").type_name("PATH");
  line.option("--held-open", held_open,
              "Files that somebody has open for writing: refuse, or replace (he keeps that file)")
      .one_of({"refuse", "replace"})
      .type_name("HOW");
  install.add_to(line, order.dry_run);
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  warm_heap(kHeapOfRollback);
  RH_CHECK(install.read(order.units, order.wait_ns));
  RH_CHECK(find_run(order.run, {&order.selection.except, &order.accept}, "RUN", "rollback"));
  RH_TRY(order.selection.only, absolute_paths(order.selection.only, "PATH"));
  RH_TRY(order.selection.except, absolute_paths(order.selection.except, "--except"));
  RH_TRY(order.accept, absolute_paths(order.accept, "--accept"));
  if (held_open == "replace") order.held_open = promote::HeldOpen::kReplace;
  order.who = requester();
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  prepare_process();
  Progress progress("rolling back");
  order.progress = [&progress](std::string_view phase, std::uint64_t count, std::uint64_t total) {
    progress.show(phase, count, total);
  };
  RH_TRY(const promote::Outcome outcome, promote::roll_back_run(state, order));
  progress.clear();
  return print_outcome(globals, outcome);
}

}  // namespace rehearse::cli
