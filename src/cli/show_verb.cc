// rehearse show RUN: the report of a run, again.

#include <unistd.h>

#include <cstdio>

#include "base/escape.h"
#include "cli/command_line.h"
#include "cli/evidence_check.h"
#include "cli/named_run.h"
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

Result<> show_why(const Globals& globals, const report::RunRecord& record, const report::Decided& decided,
                  const std::string& policy) {
  const report::TerminalOptions options = terminal_options(globals, STDOUT_FILENO, record.id);
  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    out.put(report::why_json(record, policy, decided));
  } else {
    out.put(report::why_text(record, policy, "rehearse " + options.state_option, options.bundle,
                             report::Style(options.color)));
    if (const std::string text = report::decided_text(decided, options.columns); !text.empty())
      out.put("\nWho decided what\n" + text);
  }
  return out.flush();
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

/// How it is to be shown.
struct Form {
  std::string html;
  bool why = false;
  bool force = false;
  bool markdown = false;
  bool sarif = false;
  std::string not_checked;
};

Result<> show(const Globals& globals, const Form& form, const report::RunRecord& record, int manifest_fd,
              const report::Decided& decided, const std::string& policy) {
  if (form.why) return show_why(globals, record, decided, policy);
  report::TerminalOptions terminal = terminal_options(globals, STDOUT_FILENO, record.id);
  terminal.not_checked = form.not_checked;
  if (!form.html.empty())
    return write_html(form.html, record, manifest_fd, terminal.state_option, decided,
                      form.force ? OutputFile::Existing::kReplace : OutputFile::Existing::kRefuse);
  report::Writer out(STDOUT_FILENO);
  if (form.markdown) {
    RH_CHECK(report::write_markdown_report(out, record, manifest_fd, terminal.state_option, decided));
  } else if (form.sarif) {
    out.put(report::to_sarif(record));
  } else if (globals.json) {
    RH_CHECK(report::write_run_json(out, record, manifest_fd, decided));
  } else {
    RH_CHECK(report::write_terminal_report(out, record, manifest_fd, terminal, decided));
  }
  return out.flush();
}

}  // namespace

Result<int> show_verb(Globals& globals, Arguments arguments) {
  std::string run;
  Form form;
  CommandLine line("Print the report of a run", "show", globals);
  line.option("RUN", run, "Run id, the unique start of one, or `last`").required();
  line.flag("--why", form.why, "What the verdict rests on: data, policy, exceptions, and how to look again");
  line.option("--html", form.html, "Write it as one file for a browser; - is standard output")
      .type_name("FILE");
  line.flag("--force", form.force, "With --html: replace the file");
  line.flag("--md", form.markdown, "Print it as Markdown, short enough for a comment on a change");
  line.flag("--sarif", form.sarif, "Print the findings as SARIF 2.1.0");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  const int forms = (form.html.empty() ? 0 : 1) + (form.markdown ? 1 : 0) + (form.sarif ? 1 : 0);
  if (forms > 1 || (forms == 1 && (form.why || globals.json)))
    return fail("show: --html, --md and --sarif are forms of their own", ExitCode::kUsage,
                "leave the others, --json and --why out");

  if (form.force && form.html.empty())
    return fail("show: --force is about the file of --html", ExitCode::kUsage, "leave it out");

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, open_named_run(state, run, "show"));
  if (!bundle.finished()) {
    return fail("run " + bundle.id() + " has no report: it is still going on or was interrupted",
                ExitCode::kDataError);
  }
  RH_TRY(report::RunRecord record, bundle.read_record());
  RH_TRY(const bool compared, check_record(state, bundle, record));
  form.not_checked =
      "not checked here: what is in the file of events (rehearse " + state_option(globals) + "trace does)";
  if (!compared) form.not_checked += ", and the verdict: the ledger has none of this run to compare it with";
  const auto policy = verdict::load_policy({});
  RH_TRY(const UniqueFd manifest, bundle.open_kept("manifest"));
  RH_CHECK(check_manifest(manifest.get(), record));
  // The report is shown, and does not vouch for them.
  const std::vector<std::string> damage = damaged_evidence(bundle, record);
  if (record.trace) record.trace->trouble.insert(record.trace->trouble.end(), damage.begin(), damage.end());
  if (!form.why) RH_CHECK(ask_host(record, manifest.get()));
  const report::Decided decided = ask_ledger(record, state, policy ? &*policy : nullptr);
  RH_CHECK(show(globals, form, record, manifest.get(), decided, policy ? policy->digest : std::string()));
  for (const std::string& line : damage)
    std::fprintf(stderr, "rehearse: run %s: %s\n", bundle.id().c_str(), escape_text(line).c_str());
  return damage.empty() ? 0 : static_cast<int>(ExitCode::kDataError);
}

}  // namespace rehearse::cli
