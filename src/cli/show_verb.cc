// rehearse show RUN: the report of a run, again.

#include <unistd.h>

#include "cli/command_line.h"
#include "cli/output_file.h"
#include "cli/verb_support.h"
#include "ledger/state.h"
#include "report/decision_text.h"
#include "report/explain.h"
#include "report/html.h"
#include "report/json.h"
#include "report/markdown.h"
#include "report/sarif.h"
#include "report/style.h"
#include "report/terminal.h"
#include "verdict/policy_set.h"

namespace rehearse::cli {
namespace {

Result<int> show_why(const Globals& globals, const report::RunRecord& record, const report::Decided& decided,
                     const std::string& id, const std::string& policy) {
  const report::TerminalOptions options = terminal_options(globals, STDOUT_FILENO, id);
  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    out.put(report::why_json(record, policy, decided));
  } else {
    out.put(report::why_text(record, policy, "rehearse " + options.state_option, options.bundle,
                             report::Style(options.color)));
    if (const std::string text = report::decided_text(decided, options.columns); !text.empty())
      out.put("\nWho decided what\n" + text);
  }
  RH_CHECK(out.flush());
  return 0;
}

/// Whole under its name, or not there.
Result<void> write_html(const std::string& path, const report::RunRecord& record, int manifest_fd,
                        const std::string& state_option, const report::Decided& decided,
                        OutputFile::Existing existing) {
  if (path == "-") {
    report::Writer out(STDOUT_FILENO);
    return report::write_html_report(out, record, manifest_fd, state_option, decided);
  }
  RH_TRY(auto file, OutputFile::create(path, existing));
  report::Writer out(file.fd());
  RH_CHECK(report::write_html_report(out, record, manifest_fd, state_option, decided));
  return file.keep();
}

}  // namespace

Result<int> show_verb(Globals& globals, Arguments arguments) {
  std::string run;
  std::string html;
  bool why = false;
  bool force = false;
  bool markdown = false;
  bool sarif = false;
  CommandLine line("Print the report of a run", "show", globals);
  line.option("RUN", run, "Run id, the unique start of one, or `last`").required();
  line.flag("--why", why, "What the verdict rests on: data, policy, exceptions, and how to look again");
  line.option("--html", html, "Write it as one file for a browser; - is standard output").type_name("FILE");
  line.flag("--force", force, "With --html: replace the file");
  line.flag("--md", markdown, "Print it as Markdown, short enough for a comment on a change");
  line.flag("--sarif", sarif, "Print the findings as SARIF 2.1.0");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  const int forms = (html.empty() ? 0 : 1) + (markdown ? 1 : 0) + (sarif ? 1 : 0);
  if (forms > 1 || (forms == 1 && (why || globals.json)))
    return fail("show: --html, --md and --sarif are forms of their own", ExitCode::kUsage,
                "leave the others, --json and --why out");

  if (force && html.empty())
    return fail("show: --force is about the file of --html", ExitCode::kUsage, "leave it out");

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, state.open_run(run));
  if (!bundle.finished()) {
    return fail("run " + bundle.id() + " has no report: it is still going on or was interrupted",
                ExitCode::kDataError);
  }
  RH_TRY(report::RunRecord record, bundle.read_record());
  const auto policy = verdict::load_policy({});
  RH_TRY(const UniqueFd manifest, bundle.open_file("manifest"));
  if (!why) RH_CHECK(ask_host(record, manifest.get()));
  const report::Decided decided = ask_ledger(record, state, policy ? &*policy : nullptr);
  if (why) return show_why(globals, record, decided, bundle.id(), policy ? policy->digest : std::string());
  const report::TerminalOptions terminal = terminal_options(globals, STDOUT_FILENO, bundle.id());
  if (!html.empty()) {
    RH_CHECK(write_html(html, record, manifest.get(), terminal.state_option, decided,
                        force ? OutputFile::Existing::kReplace : OutputFile::Existing::kRefuse));
    return 0;
  }
  report::Writer out(STDOUT_FILENO);
  if (markdown) {
    RH_CHECK(report::write_markdown_report(out, record, manifest.get(), terminal.state_option, decided));
  } else if (sarif) {
    out.put(report::to_sarif(record));
  } else if (globals.json) {
    RH_CHECK(report::write_run_json(out, record, manifest.get(), decided));
  } else {
    RH_CHECK(report::write_terminal_report(out, record, manifest.get(), terminal, decided));
  }
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace rehearse::cli
