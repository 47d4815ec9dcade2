// rehearse run: request -> plan -> sandbox -> change set -> verdict -> report.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/escape.h"
#include "base/heap.h"
#include "base/units.h"
#include "cli/progress.h"
#include "cli/run_request.h"
#include "cli/verb_support.h"
#include "cli/verbs.h"
#include "ledger/decisions.h"
#include "ledger/history.h"
#include "promote/decision.h"
#include "rehearsal/network_print.h"
#include "rehearsal/rehearsal.h"
#include "report/json.h"
#include "report/run_text.h"
#include "report/terminal.h"
#include "report/writer.h"
#include "verdict/judge.h"

namespace rehearse::cli {
namespace {

constexpr std::size_t kHeapOfRun = std::size_t{1} << 20U;  // what a small one takes

/// The action's own output went to this terminal as it was, and may have left it in any state: ends an
/// unfinished control string (CAN, ST), soft reset (DECSTR), main screen, ASCII, no colours, a fresh line.
constexpr const char* kTerminalReset = "\x18\x1b\\\x1b[!p\x1b[?1049l\x1b(B\x1b[0m\r\n";

Result<void> print_report(const Globals& globals, const Order& order, Finished& run) {
  RH_TRY(auto manifest, run.bundle.open_file("manifest"));
  RH_CHECK(ask_host(run.record, manifest.get()));
  report::Decided decided;
  if (report::awaits_decision(run.record))
    decided.approval_rule = promote::approval_rule({run.record, run.policy, realtime_ns()});
  if (globals.json) {
    report::Writer out(STDOUT_FILENO);
    return report::write_run_json(out, run.record, manifest.get(), decided);
  }
  // To start SQLite costs as much as a small run does: a person at a terminal does not notice, programs that
  // want to know have `show`.
  if (::isatty(STDERR_FILENO) == 1) {
    if (auto history = ledger::history_of(*order.state, run.record.id))
      run.record.history = std::move(*history);
  }
  const report::TerminalOptions options = terminal_options(globals, STDERR_FILENO, run.bundle.id());
  report::Writer out(STDERR_FILENO);
  if (::isatty(STDERR_FILENO) == 1 && run.record.command.stdout_bytes + run.record.command.stderr_bytes > 0)
    out.put(kTerminalReset);
  RH_CHECK(report::write_terminal_report(out, run.record, manifest.get(), options, decided));
  return out.flush();
}

std::string plan_text(const Order& order) {
  std::string text = sandbox::plan_text(order.plan) + network_text(*order.network, order.options);
  if (!order.expected) return text;
  text += "\nExpected, by " + escape_text(order.expected->source) + '\n';
  for (const verdict::Wanted& wanted : verdict::declared(*order.expected)) {
    text += "  " + wanted.what + ':';
    for (const std::string& value : wanted.values) text += ' ' + escape_text(value);
    text += '\n';
  }
  return text;
}

std::string plan_json(const Order& order) {
  auto document = nlohmann::json::parse(sandbox::plan_json(order.plan));
  document["network"] = network_json(*order.network, order.options);
  if (order.expected) {
    auto& list = document["expect"] = nlohmann::json::array();
    for (const verdict::Wanted& wanted : verdict::declared(*order.expected))
      list.push_back({{"what", wanted.what}, {"values", wanted.values}});
  }
  return document.dump(2) + '\n';
}

/// Where approvals usually take longer than there is time: who may do without, and how.
void offer_override(const Globals& globals, const RunOptions& options, const Order& order,
                    const Finished& run) {
  const report::RunRecord& record = run.record;
  const promote::Matter matter{record, run.policy, realtime_ns()};
  auto decisions = ledger::Decisions::open(*order.state);
  if (!decisions || !promote::check_overridable(matter)) return;
  const auto waits = decisions->approval_waits(promote::kWaitsCounted);
  const auto forecast = waits ? promote::forecast(*waits) : std::nullopt;
  if (!forecast || *forecast <= options.deadline_ns) return;
  std::string roles;
  for (const std::string& role : run.policy.overriding->roles) roles += (roles.empty() ? "" : ", ") + role;
  std::fprintf(stderr,
               "deadline  approval usually takes %s (median of %zu), more than the %s there are\n"
               "          a member of %s may do without: rehearse %soverride %s@%s --reason ... --ticket ... "
               "--until ...\n",
               format_duration(*forecast).c_str(), waits->size(),
               format_duration(options.deadline_ns).c_str(), escape_text(roles, 200).c_str(),
               state_option(globals).c_str(), record.id.c_str(), record.digest.c_str());
}

int exit_status(const RunOptions& options, const report::RunRecord& record) {
  const report::Command& command = record.command;
  if (options.passthrough_exit) {
    if (command.exit) return *command.exit;
    if (command.signal) return 128 + *command.signal;
  }
  return static_cast<int>(verdict::exit_code(record.verdict.level, options.fail_on));
}

}  // namespace

Result<int> run_verb(Globals& globals, Arguments arguments) {
  RunOptions options;
  RH_TRY(const bool go_on, parse_run_options(globals, std::move(arguments), options));
  if (!go_on) return 0;
  if (::geteuid() != 0) {
    return fail("rehearsing needs root", ExitCode::kNoPermission, "run it with sudo");
  }
  ::signal(SIGPIPE, SIG_IGN);
  warm_heap(kHeapOfRun);
  Progress progress("reading changes");
  options.action.notice = [](const std::string& line) {
    std::fprintf(stderr, "rehearse: %s\n", line.c_str());
  };
  options.action.progress = [&progress](std::uint64_t records) { progress.show(records); };
  RH_TRY(const Order order,
         plan_rehearsal(options.action, options.plan_only ? Purpose::kShow : Purpose::kRun));
  if (options.plan_only) {
    report::Writer out(STDOUT_FILENO);
    out.put(globals.json ? plan_json(order) : plan_text(order));
    RH_CHECK(out.flush());
    return 0;
  }
  RH_TRY(Finished run, rehearse(order));
  progress.clear();
  if (auto printed = print_report(globals, order, run); !printed) {
    printed.error().fix = "the run is kept: rehearse show " + run.record.id;
    return tl::make_unexpected(std::move(printed).error());
  }
  if (options.deadline_ns != 0) offer_override(globals, options, order, run);
  freeze_in_background(run.bundle);
  return exit_status(options, run.record);
}

}  // namespace rehearse::cli
