// rehearse gc: cleans up after interrupted runs and removes old ones.

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/verb_support.h"
#include "ledger/decisions.h"
#include "ledger/gc.h"
#include "promote/decision.h"
#include "promote/in_effect.h"
#include "promote/kept_aside.h"
#include "promote/stores.h"
#include "report/writer.h"
#include "sandbox/leftovers.h"
#include "trace/programs.h"

namespace rehearse::cli {
namespace {

void print_json(report::Writer& out, const ledger::GcReport& report, bool dry_run) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.gc/1").key("dry_run").boolean(dry_run);
  json.key("interrupted").open_array();
  for (const std::string& id : report.interrupted) json.string(id);
  json.close_array().key("removed").open_array();
  for (const ledger::GcChoice& choice : report.removed) {
    json.open_object().key("id").string(choice.id).key("reason").string(choice.reason);
    json.key("promoted").boolean(choice.promoted).key("approved").boolean(choice.approved);
    json.key("bytes").integer(choice.bytes).close_object();
  }
  json.close_array().key("spared").open_array();
  for (const ledger::GcReport::Spared& spared : report.spared) {
    json.open_object().key("id").string(spared.id).key("kept").open_array();
    for (const std::string& line : spared.why) json.string(to_utf8_lossy(line));
    json.close_array().close_object();
  }
  json.close_array()
      .key("freed_bytes")
      .integer(report.freed_bytes)
      .key("kept")
      .integer(report.kept)
      .key("kept_promoted")
      .integer(report.promoted)
      .key("kept_approved")
      .integer(report.approved);
  json.key("kept_bytes").integer(report.kept_bytes).key("problems").open_array();
  for (const std::string& problem : report.problems) json.string(to_utf8_lossy(problem));
  json.close_array().close_object();
  out.put(text + "\n");
}

void print_text(report::Writer& out, const Globals& globals, const ledger::GcReport& report, bool dry_run) {
  const char* would = dry_run ? "would be " : "";
  for (const std::string& id : report.interrupted) {
    out.put(fmt::format("{}  interrupted: {}cleaned up\n", id, would));
  }
  for (const ledger::GcChoice& choice : report.removed) {
    out.put(fmt::format("{}  {}removed ({}), {}{}{}\n", choice.id, would, choice.reason,
                        format_bytes(choice.bytes),
                        choice.promoted ? "; it is promoted: its way back goes too" : "",
                        choice.approved ? "; it is approved, and cannot be promoted any more" : ""));
  }
  for (const ledger::GcReport::Spared& spared : report.spared) {
    out.put(fmt::format("{}  left alone; take out what is not its own, then: rehearse {}rm --force {}\n",
                        spared.id, state_option(globals), spared.id));
    for (const std::string& line : spared.why) out.put("  " + escape_text(line) + "\n");
  }
  out.put(fmt::format("{} {}removed, {} freed; {} kept, {}", report.removed.size(), would,
                      format_bytes(report.freed_bytes), report.kept, format_bytes(report.kept_bytes)));
  if (report.promoted != 0)
    out.put(fmt::format("; {} of them promoted, kept for their way back", report.promoted));
  if (report.approved != 0)
    out.put(fmt::format("; {} of them approved, kept until that is used or expires", report.approved));
  out.put("\n");
}

}  // namespace

Result<int> gc_verb(Globals& globals, Arguments arguments) {
  ledger::GcPolicy policy;
  std::uint64_t keep = *policy.keep;
  std::string older_than = "30d";
  std::string max_size = "10GiB";
  bool dry_run = false;
  CommandLine line("Clean up after interrupted runs; remove runs that are old, many or large", "gc", globals);
  line.flag("--all", policy.all, "Remove every run that is over, but those that are promoted or approved");
  line.flag("--force", policy.force, "With --all: also those, and the way back with them");
  line.option("--keep", keep, "Keep at most so many, the newest (default 200)").type_name("N");
  line.option("--older-than", older_than, "Remove what is older (default 30d)").type_name("AGE");
  line.option("--max-size", max_size, "Remove the oldest until the rest is smaller (default 10GiB)")
      .type_name("SIZE");
  line.flag("--dry-run", dry_run, "Only say what would be done");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  if (policy.force && !policy.all)
    return fail("--force goes with --all", ExitCode::kUsage,
                "promoted runs go by age all the same: --older-than AGE");
  policy.keep = keep;
  RH_TRY(policy.older_than_ns, of_option("--older-than", parse_duration(older_than)));
  RH_TRY(policy.max_bytes, of_option("--max-size", parse_bytes(max_size)));

  ledger::GcReport report;
  RH_TRY(const std::optional<ledger::StateDir> state, open_existing_state(globals));
  if (state) {
    std::string notice;
    RH_TRY(ledger::Ledger ledger, ledger::Ledger::open(*state, &notice));
    if (!notice.empty()) std::fprintf(stderr, "rehearse: %s\n", escape_text(notice).c_str());
    ledger::GcHooks hooks;
    hooks.release = [](const std::string& id) { return sandbox::remove_leftovers(id); };
    hooks.elsewhere = [](const ledger::Bundle& bundle) { return promote::store_bytes(bundle); };
    hooks.spared = [](const ledger::Bundle& bundle) { return promote::kept_aside(bundle); };
    hooks.promoted = [](const ledger::Bundle& bundle) { return promote::is_in_effect(bundle); };
    RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(*state));
    hooks.approved = [&decisions](const ledger::Bundle& bundle) -> Result<bool> {
      RH_TRY(const auto all, decisions.of_run(bundle.id()));
      return promote::is_decided_for(all, realtime_ns());
    };
    hooks.forget = [&state](const ledger::Bundle& bundle) { return promote::remove_stores(*state, bundle); };
    RH_TRY(report, ledger::collect_garbage(*state, ledger, policy,
                                           dry_run ? ledger::DryRun::kYes : ledger::DryRun::kNo, hooks));
  }
  if (!dry_run) {
    RH_CHECK(trace::Programs::collect(policy.all));
    if (policy.all) RH_CHECK(sandbox::remove_parents());
  }
  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    print_json(out, report, dry_run);
  } else {
    print_text(out, globals, report, dry_run);
  }
  RH_CHECK(out.flush());
  for (const std::string& problem : report.problems)
    std::fprintf(stderr, "rehearse: %s\n", escape_text(problem).c_str());
  return report.problems.empty() ? 0 : static_cast<int>(ExitCode::kFailure);
}

}  // namespace rehearse::cli
