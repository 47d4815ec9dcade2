// rehearse rm RUN...: removes runs that are over.

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "base/escape.h"
#include "base/json_writer.h"
#include "cli/command_line.h"
#include "cli/named_run.h"
#include "cli/verb_support.h"
#include "ledger/ledger.h"
#include "promote/in_effect.h"
#include "promote/kept_aside.h"
#include "promote/stores.h"
#include "report/writer.h"
#include "sandbox/leftovers.h"

namespace rehearse::cli {

Result<int> rm_verb(Globals& globals, Arguments arguments) {
  std::vector<std::string> names;
  CommandLine line("Remove runs: bundle and all; the ledger keeps a row that says so", "rm", globals);
  bool force = false;
  line.flag("--force", force,
            "Also those that keep what somebody else had made or edited, and those that are promoted");
  line.option("RUN", names, "Run ids, unique starts of them, or `last`").required();
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  // What an interrupted run left in the host must be known to be gone before its last trace goes.
  RH_CHECK(ledger::collect_interrupted(state,
                                       [](const std::string& id) { return sandbox::remove_leftovers(id); }));
  // All are found and locked before the first is removed: a wrong name removes nothing.
  std::vector<ledger::Bundle> bundles;
  for (const std::string& name : names) {
    RH_TRY(ledger::Bundle bundle, open_named_run(state, name, "rm", Newer::kRefuse));
    bool twice = false;
    for (const ledger::Bundle& other : bundles) twice = twice || other.id() == bundle.id();
    if (twice) continue;
    RH_TRY(const bool mine, bundle.lock_when_over());
    if (!mine) return fail("run " + bundle.id() + " is still going on", ExitCode::kTryLater, "end it first");
    RH_TRY(const auto kept, promote::kept_aside(bundle));
    if (!kept.empty() && !force)
      return fail("run " + bundle.id() + " keeps what is not its own: " + kept.front() +
                      (kept.size() > 1 ? fmt::format(" and {} more", kept.size() - 1) : ""),
                  ExitCode::kTryLater, "take it out, then: rehearse rm --force " + bundle.id());
    RH_TRY(const bool promoted, promote::is_in_effect(bundle));
    if (promoted && !force)
      return fail("run " + bundle.id() + " is promoted, and what it replaced and removed goes with it",
                  ExitCode::kTryLater,
                  "to be able to go back keep it; to give that up: rehearse rm --force " + bundle.id());
    bundles.push_back(std::move(bundle));
  }
  std::string notice;
  RH_TRY(ledger::Ledger ledger, ledger::Ledger::open(state, &notice));
  if (!notice.empty()) std::fprintf(stderr, "rehearse: %s\n", escape_text(notice).c_str());
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.rm/1").key("removed").open_array();
  for (ledger::Bundle& bundle : bundles) {
    RH_CHECK(promote::remove_stores(state, bundle));
    RH_CHECK(ledger.mark(bundle.id(), ledger::State::kRemoved));
    RH_CHECK(bundle.remove());
    json.string(bundle.id());
  }
  json.close_array().close_object();
  report::Writer out(STDOUT_FILENO);
  if (globals.json) out.put(text + "\n");
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace rehearse::cli
