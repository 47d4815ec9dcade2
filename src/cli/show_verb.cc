// rehearse show RUN: the report of a run, again.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/decision_text.h"
#include "cli/output_file.h"
#include "cli/verb_support.h"
#include "cli/verbs.h"
#include "ledger/history.h"
#include "ledger/state.h"
#include "ledger/undo_trials.h"
#include "promote/affected.h"
#include "report/explain.h"
#include "report/html.h"
#include "report/json.h"
#include "report/style.h"
#include "report/terminal.h"
#include "verdict/policy_set.h"

namespace rehearse::cli {
namespace {

/// Of a ledger that cannot be read the report says nothing: the run's own files are there all the same.
std::vector<ledger::Decision> decisions_of(const ledger::StateDir& state, const std::string& run) {
  auto decisions = ledger::Decisions::open(state);
  auto all = decisions ? decisions->of_run(run) : Result<std::vector<ledger::Decision>>();
  return all ? std::move(*all) : std::vector<ledger::Decision>();
}

Result<int> show_why(const Globals& globals, const report::RunRecord& record, const std::string& id,
                     const std::vector<ledger::Decision>& decisions) {
  const auto current = verdict::load_policy({});
  const std::string digest = current ? current->digest : std::string();
  const report::TerminalOptions options = terminal_options(globals, STDOUT_FILENO, id);
  report::Writer out(STDOUT_FILENO);
  out.put(globals.json ? report::why_json(record, digest, decisions_json(decisions))
                       : report::why_text(record, digest, "rehearse " + options.state_option, options.bundle,
                                          report::Style(options.color)));
  if (!globals.json && !decisions.empty()) out.put("\nWho decided what\n" + decisions_text(decisions));
  RH_CHECK(out.flush());
  return 0;
}

/// Whole under its name, or not there.
Result<void> write_html(const std::string& path, const report::RunRecord& record, int manifest_fd) {
  if (path == "-") {
    report::Writer out(STDOUT_FILENO);
    return report::write_html_report(out, record, manifest_fd);
  }
  RH_TRY(auto file, OutputFile::create(path, OutputFile::Existing::kReplace));
  report::Writer out(file.fd());
  RH_CHECK(report::write_html_report(out, record, manifest_fd));
  return file.keep();
}

}  // namespace

Result<int> show_verb(Globals& globals, Arguments arguments) {
  std::string run;
  std::string html;
  bool why = false;
  CLI::App app("Print the report of a run", "show");
  add_globals(app, globals);
  app.add_option("RUN", run, "Run id, the unique start of one, or `last`")->required();
  app.add_flag("--why", why, "What the verdict rests on: data, policy, exceptions, and how to look again");
  app.add_option("--html", html, "Write it as one file for a browser; - is standard output")
      ->type_name("FILE");
  RH_TRY(const bool go_on, parse(app, std::move(arguments)));
  if (!go_on) return 0;
  if (!html.empty() && (why || globals.json))
    return fail("show: --html is a form of its own", ExitCode::kUsage, "leave --json and --why out");

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, state.open_run(run));
  if (!bundle.finished()) {
    return fail("run " + bundle.id() + " has no report: it is still going on or was interrupted",
                ExitCode::kDataError);
  }
  RH_TRY(report::RunRecord record, bundle.read_record());
  const auto decisions = decisions_of(state, record.id);
  if (why) return show_why(globals, record, bundle.id(), decisions);
  // Without a ledger the report is the same, but for what is kept there.
  if (auto trial = ledger::undo_trial_of(state, record.id, record.digest))
    record.rollback = std::move(*trial);
  if (auto history = ledger::history_of(state, record.id)) record.history = std::move(*history);
  RH_TRY(const UniqueFd manifest, bundle.open_file("manifest"));
  RH_CHECK(ask_who_is_affected(record, manifest.get()));
  if (!html.empty()) {
    RH_CHECK(write_html(html, record, manifest.get()));
    return 0;
  }
  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    RH_CHECK(report::write_run_json(out, record, manifest.get()));
  } else {
    RH_CHECK(report::write_terminal_report(out, record, manifest.get(),
                                           terminal_options(globals, STDOUT_FILENO, bundle.id())));
    if (!decisions.empty()) out.put("\nDecisions\n" + decisions_text(decisions));
  }
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace rehearse::cli
