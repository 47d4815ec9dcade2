// rehearse run: request -> plan -> sandbox -> change set -> verdict -> report.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/sys.h"
#include "cli/progress.h"
#include "cli/run_request.h"
#include "cli/verbs.h"
#include "effects/change_set.h"
#include "host/facts.h"
#include "host/identity.h"
#include "ledger/ledger.h"
#include "ledger/state.h"
#include "report/digest.h"
#include "report/json.h"
#include "report/terminal.h"
#include "report/writer.h"
#include "sandbox/leftovers.h"
#include "sandbox/sandbox.h"
#include "verdict/judge.h"

namespace rehearse::cli {
namespace {

/// What one `rehearse run` carries from step to step.
struct Run {
  Globals* globals = nullptr;
  RunOptions options;
  host::HostFacts facts;
  sandbox::Plan plan;
  report::RunRecord record;
  std::int64_t phase_start = 0;

  std::int64_t end_phase() {
    const std::int64_t now = monotonic_ns();
    return now - std::exchange(phase_start, now);
  }
};

void describe_request(Run& run) {
  const sandbox::Request& request = run.plan.request;
  report::RunRecord& record = run.record;
  record.created_ns = realtime_ns();
  record.host_name = run.facts.hostname;
  record.host_kernel = run.facts.kernel_release;
  record.host_boot_id = run.facts.boot_id;
  record.tool_version = REHEARSE_VERSION;
  record.profile = request.profile == sandbox::Profile::kShifted ? "shifted" : "root";
  record.action.argv = request.argv;
  record.action.cwd = request.cwd;
  record.action.uid = request.identity.uid;
  record.action.gid = request.identity.gid;
  record.action.env = request.env;
  const host::Requester requester = host::read_requester();
  record.requester.uid = requester.uid;
  record.requester.loginuid = requester.loginuid;
  record.requester.sudo_uid = requester.sudo_uid;
  record.requester.tty = requester.tty;
  record.requester.unit = requester.unit;
}

/// Keeps the action's output in the bundle and relays it live.
struct Output {
  UniqueFd kept_out;
  UniqueFd kept_err;
};

Result<sandbox::Rehearsal> execute(Run& run, const ledger::Bundle& bundle) {
  RH_TRY(auto directory, bundle.make_dir("output"));
  Output output;
  RH_TRY(output.kept_out, bundle.create_file("output/stdout"));
  RH_TRY(output.kept_err, bundle.create_file("output/stderr"));
  sandbox::Surroundings around;
  around.id = bundle.id();
  around.bundle = bundle.fd();
  around.facts = &run.facts;
  around.streams.out = run.globals->json ? STDERR_FILENO : STDOUT_FILENO;
  around.streams.kept_out = output.kept_out.get();
  around.streams.kept_err = output.kept_err.get();
  return sandbox::rehearse_action(run.plan, around);
}

void record_evidence(Run& run, const sandbox::Evidence& evidence) {
  report::Command& command = run.record.command;
  command.exit = evidence.exit;
  command.signal = evidence.signal;
  command.timed_out = evidence.timed_out;
  command.error = evidence.start_error;
  command.wall_ns = evidence.wall_ns;
  command.user_ns = evidence.user_ns;
  command.sys_ns = evidence.system_ns;
  command.max_rss_bytes = evidence.max_rss_bytes;
  command.stdout_bytes = evidence.stdout_bytes;
  command.stderr_bytes = evidence.stderr_bytes;
  command.output_cut = evidence.output_cut;
  for (const sandbox::Leftover& process : evidence.leftover)
    command.leftover.push_back({process.pid, process.comm, process.argv});
  run.record.limits = evidence.limit_notes;
  run.record.gaps = run.plan.gaps;
  run.record.gaps.insert(run.record.gaps.end(), evidence.gaps.begin(), evidence.gaps.end());
  for (const sandbox::LayerEvidence& layer : evidence.layers) {
    run.record.layers.push_back({layer.index, layer.mountpoint, layer.fstype, layer.aliases});
  }
}

/// The layers as the change set wants them: by mount point.
Result<std::vector<effects::Layer>> open_layers(const ledger::Bundle& bundle,
                                                std::vector<sandbox::LayerEvidence>& evidence) {
  std::sort(evidence.begin(), evidence.end(),
            [](const auto& a, const auto& b) { return a.mountpoint < b.mountpoint; });
  std::vector<effects::Layer> layers;
  for (sandbox::LayerEvidence& from : evidence) {
    if (!from.lower.valid()) continue;
    const std::string directory = "uppers/" + std::to_string(from.index);
    effects::Layer layer;
    layer.number = from.index;
    layer.mountpoint = from.mountpoint;
    RH_TRY(layer.upper, bundle.open_dir((directory + "/upper").c_str()));
    if (auto index = bundle.open_dir((directory + "/work/index").c_str())) layer.index = std::move(*index);
    layer.lower = std::move(from.lower);
    layer.masked = std::move(from.masked);
    layer.hidden = std::move(from.hidden);
    layers.push_back(std::move(layer));
  }
  return layers;
}

Result<effects::ChangeSet> read_changes(Run& run, const ledger::Bundle& bundle, sandbox::Evidence& evidence) {
  RH_TRY(auto layers, open_layers(bundle, evidence.layers));
  RH_TRY(auto file, bundle.create_file("manifest"));
  RH_TRY(auto writer, effects::ManifestWriter::create(std::move(file)));
  Progress progress("reading changes");
  effects::ChangeSetOptions options;
  options.started_ns = evidence.started_ns;
  options.finished_ns = evidence.finished_ns;
  options.progress = [&progress](std::uint64_t records) { progress.show(records); };
  RH_TRY(auto changes, effects::collect_changes(layers, options, *writer));
  run.record.counts = changes.counts;
  run.record.manifest_root = hex(changes.root);
  run.record.command.written_bytes = changes.written_bytes;
  return changes;
}

void judge(Run& run, const sandbox::Evidence& evidence, const effects::ChangeSet& changes) {
  verdict::Facts facts;
  facts.exit = evidence.exit;
  facts.signal = evidence.signal;
  facts.timed_out = evidence.timed_out;
  facts.start_error = evidence.start_error;
  facts.limits_hit = evidence.limits_hit;
  for (const sandbox::Leftover& process : evidence.leftover) {
    std::string line = std::to_string(process.pid) + ' ' + process.comm;
    for (const std::string& word : process.argv) line += ' ' + word;
    facts.leftover.push_back(std::move(line));
  }
  facts.output_cut = evidence.output_cut;
  facts.base_moved = changes.base_moved;
  facts.masked = changes.masked;
  facts.unobserved = evidence.unobserved;
  facts.unobserved.insert(facts.unobserved.end(), changes.unobserved.begin(), changes.unobserved.end());
  if (evidence.interrupted_by) {
    facts.unobserved.push_back(std::string("the run was interrupted by SIG") +
                               sigabbrev_np(*evidence.interrupted_by) + ": the action did not end by itself");
  }
  for (const std::string& path : changes.setid_lost) {
    run.record.gaps.push_back({"setuid or setgid bit of " + path,
                               "a write inside clears it; a write of the host's root keeps it",
                               verdict::Level::kYellow});
  }
  facts.gaps = run.record.gaps;
  run.record.verdict = verdict::judge(facts);
  run.record.digest = report::run_digest(run.record);
}

Result<void> print_report(Run& run, const ledger::Bundle& bundle) {
  RH_TRY(auto manifest, bundle.open_file("manifest"));
  if (run.globals->json) return report::write_run_json(STDOUT_FILENO, run.record, manifest.get());
  report::TerminalOptions options;
  options.color = run.globals->color == Color::kAlways ||
                  (run.globals->color == Color::kAuto && report::want_color(STDERR_FILENO));
  options.columns = report::terminal_columns(STDERR_FILENO);
  options.bundle = run.globals->state + "/runs/" + bundle.id();
  if (run.globals->state != Globals().state) options.state_option = "--state " + run.globals->state + ' ';
  report::Writer out(STDERR_FILENO);
  RH_CHECK(report::write_terminal_report(out, run.record, manifest.get(), options));
  return out.flush();
}

/// Off the timed path: a child makes the bundle durable and marks it frozen while the caller reads the
/// report.
void freeze_in_background(const ledger::Bundle& bundle) {
  const pid_t child = ::fork();
  if (child != 0) return;
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; ++fd) ::dup2(null, fd);
  (void)bundle.freeze();
  ::_exit(0);
}

int exit_status(const Run& run) {
  const report::Command& command = run.record.command;
  if (run.options.passthrough_exit) {
    if (command.exit) return *command.exit;
    if (command.signal) return 128 + *command.signal;
  }
  return static_cast<int>(verdict::exit_code(run.record.verdict.level, run.options.fail_on));
}

Result<int> rehearse(Run& run) {
  RH_TRY(auto state, ledger::StateDir::open(run.globals->state, ledger::Create::kYes));
  RH_CHECK(ledger::collect_interrupted(state,
                                       [](const std::string& id) { return sandbox::remove_leftovers(id); }));
  RH_TRY(auto bundle, state.create_run());
  run.record.id = bundle.id();
  run.record.phases.plan_ns = run.end_phase();
  auto rehearsal = execute(run, bundle);
  if (!rehearsal) {
    (void)bundle.remove();  // the action never ran: there is nothing to keep
    return tl::make_unexpected(rehearsal.error());
  }
  sandbox::Evidence& evidence = rehearsal->evidence;
  run.record.phases.build_ns = evidence.build_ns;
  run.record.phases.run_ns = run.end_phase() - evidence.build_ns;
  record_evidence(run, evidence);
  RH_TRY(const auto changes, read_changes(run, bundle, evidence));
  run.record.phases.read_ns = run.end_phase();
  judge(run, evidence, changes);
  rehearsal->remains.reset();
  run.record.phases.judge_ns = run.end_phase();
  RH_CHECK(bundle.finish(run.record));
  RH_CHECK(print_report(run, bundle));
  freeze_in_background(bundle);
  return exit_status(run);
}

}  // namespace

Result<int> run_verb(Globals& globals, Arguments arguments) {
  Run run;
  run.globals = &globals;
  run.phase_start = monotonic_ns();
  RH_TRY(const bool go_on, parse_run_options(globals, std::move(arguments), run.options));
  if (!go_on) return 0;
  if (::geteuid() != 0) {
    return fail("rehearsing needs root", ExitCode::kNoPermission, "run it with sudo");
  }
  ::signal(SIGPIPE, SIG_IGN);
  RH_TRY(run.facts, host::read_host_facts());
  RH_TRY(auto request, make_request(run.options, globals));
  RH_TRY(run.plan, sandbox::make_plan(std::move(request), run.facts));
  if (run.options.plan_only) {
    const std::string text = globals.json ? sandbox::plan_json(run.plan) : sandbox::plan_text(run.plan);
    RH_CHECK(sys::write_all(STDOUT_FILENO, text));
    return 0;
  }
  describe_request(run);
  return rehearse(run);
}

}  // namespace rehearse::cli
