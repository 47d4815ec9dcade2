#include "rehearsal/rehearsal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/secret_words.h"
#include "base/sys.h"
#include "effects/change_set.h"
#include "effects/untouched.h"
#include "host/identity.h"
#include "ledger/ledger.h"
#include "rehearsal/derived_facts.h"
#include "rehearsal/findings.h"
#include "rehearsal/gap_concerns.h"
#include "rehearsal/input_again.h"
#include "rehearsal/inside_checks.h"
#include "rehearsal/judgement.h"
#include "rehearsal/policy_load.h"
#include "rehearsal/read_only_run.h"
#include "rehearsal/recording.h"
#include "rehearsal/request.h"
#include "rehearsal/requested.h"
#include "rehearsal/run_gaps.h"
#include "rehearsal/service_manager.h"
#include "rehearsal/validation.h"
#include "report/digest.h"
#include "sandbox/child.h"
#include "sandbox/leftovers.h"
#include "sandbox/nested.h"
#include "sandbox/sandbox.h"
#include "verdict/judge.h"
#include "verdict/policy_set.h"

namespace rehearse {
namespace {

/// What keeps a run from writing, or has made it the second of two.
struct Trial {
  WriteWatch* watch = nullptr;        ///< none: it may write
  const WriteWatch* tried = nullptr;  ///< what the run before this one was ended for
  const InputAgain* input = nullptr;
};

/// What one rehearsal carries from step to step.
struct Run {
  const Order& order;
  const Trial& trial;
  report::RunRecord record;
  std::int64_t phase_start = 0;
  std::string hosts = {};  ///< the clone's hosts(5)

  std::int64_t end_phase() {
    const std::int64_t now = monotonic_ns();
    return now - std::exchange(phase_start, now);
  }
};

/// The builder makes files with exact modes.
class NoUmask {
 public:
  NoUmask() : before_(::umask(0)) {}
  NoUmask(const NoUmask&) = delete;
  NoUmask& operator=(const NoUmask&) = delete;
  ~NoUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

/// What is kept of the request is read by others than who made it.
void hide_secrets(report::Action& action) {
  action.redacted = mask_words(action.argv);
  for (auto& [name, value] : action.env) {
    if (value.empty()) continue;
    if (names_secret(ascii_lower(name))) {
      value = "***";
      action.redacted = true;
      continue;
    }
    std::vector<std::string> words = {std::move(value)};
    action.redacted = mask_words(words) || action.redacted;
    value = std::move(words.front());
  }
}

void describe_request(Run& run) {
  const sandbox::Request& request = run.order.plan.request;
  report::RunRecord& record = run.record;
  record.created_ns = realtime_ns();
  record.host_name = run.order.facts.hostname;
  record.host_kernel = run.order.facts.kernel_release;
  record.host_boot_id = run.order.facts.boot_id;
  record.tool_version = REHEARSE_VERSION;
  record.profile = request.profile == sandbox::Profile::kShifted ? "shifted" : "root";
  if (run.order.action) {
    record.action.name = run.order.action->name;
    if (!run.order.action->kind.empty()) record.action.kind = run.order.action->kind;
    record.action.changed_by = differs_from_file(run.order.asked, *run.order.action, request);
  }
  record.action.inputs =
      digest_of_choices(run.order.options, run.order.action ? &*run.order.action : nullptr,
                        run.order.expected ? &*run.order.expected : nullptr, *run.order.network, request);
  record.action.argv = request.argv;
  record.action.cwd = request.cwd;
  record.action.uid = request.identity.uid;
  record.action.gid = request.identity.gid;
  record.action.env = request.env;
  hide_secrets(record.action);
  if (!run.order.options.claim.empty()) record.action.claimed = run.order.options.claim;
  if (const auto& expected = run.order.expected)
    record.action.expect = report::Declared{expected->source, expected->level, verdict::declared(*expected)};
  const host::Requester requester = host::read_requester();
  record.requester.uid = requester.uid;
  record.requester.loginuid = requester.loginuid;
  record.requester.sudo_uid = requester.sudo_uid;
  record.requester.attested = requester.attested;
  record.requester.tty = requester.tty;
  record.requester.unit = requester.unit;
}

/// Keeps the action's output in the bundle and relays it live.
struct Output {
  UniqueFd kept_out;
  UniqueFd kept_err;
};

Result<sandbox::Rehearsal> execute(Run& run, const ledger::Bundle& bundle, Recording* recording,
                                   ServiceManager& manager, PolicyLoad& load, InsideChecks& checks) {
  RH_TRY(auto directory, bundle.make_dir("output"));
  Output output;
  RH_TRY(output.kept_out, bundle.create_file("output/stdout"));
  RH_TRY(output.kept_err, bundle.create_file("output/stderr"));
  sandbox::Surroundings around;
  around.id = bundle.id();
  around.bundle = bundle.fd();
  around.facts = &run.order.facts;
  around.recorder = recording;
  around.manager = &manager;
  around.meanwhile = &load;
  around.after = &checks;
  if (run.trial.watch != nullptr) around.stop = run.trial.watch->stop();
  if (run.trial.watch != nullptr) run.trial.input->keep(around.streams);
  if (run.trial.tried != nullptr) run.trial.input->repeat(around.streams);
  around.streams.in = run.order.options.in;
  around.streams.err = run.order.options.err;
  around.streams.out = run.order.options.out;
  around.streams.kept_out = output.kept_out.get();
  around.streams.kept_err = output.kept_err.get();
  return sandbox::rehearse_action(run.order.plan, around);
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
  command.stdin_bytes = evidence.stdin_bytes;
  command.stdout_bytes = evidence.stdout_bytes;
  command.stderr_bytes = evidence.stderr_bytes;
  command.output_cut = evidence.output_cut;
  for (const sandbox::Leftover& process : evidence.leftover) {
    command.leftover.push_back({process.pid, process.comm, process.argv});
    mask_words(command.leftover.back().argv);
  }
  report::Action& action = run.record.action;
  if (run.order.action && evidence.stdin_bytes != 0) action.changed_by.emplace_back("standard input");
  action.as_filed = run.order.action && action.changed_by.empty();
  run.record.limits = evidence.limit_notes;
  run.record.gaps = run.order.plan.gaps;
  run.record.gaps.insert(run.record.gaps.end(), evidence.gaps.begin(), evidence.gaps.end());
  for (const sandbox::LayerEvidence& layer : evidence.layers) {
    if (layer.scratch) continue;
    run.record.layers.push_back({layer.index, layer.mountpoint, layer.fstype, layer.aliases});
  }
}

/// The layers as the change set wants them: by mount point. Those that are scratch, or those that are not.
/// What nothing was done to is left out, but for the root, which knows the packages.
Result<std::vector<effects::Layer>> open_layers(const ledger::Bundle& bundle,
                                                std::vector<sandbox::LayerEvidence>& evidence, bool scratch) {
  std::sort(evidence.begin(), evidence.end(),
            [](const auto& a, const auto& b) { return a.mountpoint < b.mountpoint; });
  std::vector<effects::Layer> layers;
  for (sandbox::LayerEvidence& from : evidence) {
    if (!from.lower.valid() || from.scratch != scratch) continue;
    const std::string directory = "uppers/" + std::to_string(from.index);
    effects::Layer layer;
    layer.number = from.index;
    layer.mountpoint = from.mountpoint;
    layer.root_blocks = from.root_blocks;
    RH_TRY(layer.upper, bundle.open_dir((directory + "/upper").c_str()));
    if (from.mountpoint != "/" && from.root_ctime_ns &&
        effects::is_untouched(layer.upper.get(), *from.root_ctime_ns))
      continue;
    if (auto index = bundle.open_dir((directory + "/work/index").c_str())) layer.index = std::move(*index);
    layer.lower = std::move(from.lower);
    layer.host = std::move(from.host);
    layer.masked = from.masked;  // what was read is compared with them later
    layer.mask_handles = from.mask_handles;
    layer.hidden = from.hidden;
    for (auto& [path, names] : from.xattrs_not_shown)
      layer.xattrs_not_shown.emplace(from.seen_at(path), std::move(names));
    layers.push_back(std::move(layer));
  }
  return layers;
}

Result<effects::ChangeSet> read_changes(Run& run, const ledger::StateDir& state, const ledger::Bundle& bundle,
                                        sandbox::Evidence& evidence) {
  RH_TRY(auto layers, open_layers(bundle, evidence.layers, false));
  RH_TRY(auto file, bundle.create_file("manifest"));
  RH_TRY(auto writer, effects::ManifestWriter::create(std::move(file)));
  effects::ChangeSetOptions options;
  options.cache = state.fd();
  options.started_ns = evidence.started_ns;
  options.earliest_stamp_ns = evidence.earliest_stamp_ns;
  options.finished_ns = evidence.finished_ns;
  options.progress = run.order.options.progress;
  DerivedFacts derived;
  options.observe = [&derived](const effects::Change& change) { derived.note(change); };
  RH_TRY(auto changes, effects::collect_changes(layers, options, *writer));
  derived.derive(layers, run.record);
  run.hosts = derived.hosts(layers);
  run.record.counts = changes.counts;
  run.record.manifest_root = hex(changes.root);
  run.record.command.written_bytes = changes.written_bytes;
  return changes;
}

/// After everything that notes attempts has ended. False: it tried to write.
Result<bool> wrote_nothing(Run& run, const ledger::Bundle& bundle, sandbox::Evidence& evidence) {
  WriteWatch& watch = *run.trial.watch;
  RH_TRY(const auto scratch, open_layers(bundle, evidence.layers, true));
  report::ReadOnlyRecord left;
  RH_CHECK(look_at_scratch(scratch, evidence, watch, left));
  run.record.read_only = describe_read_only(watch, true);
  run.record.read_only->scratch = left.scratch;
  run.record.read_only->scratch_bytes = left.scratch_bytes;
  run.record.read_only->scratch_left = std::move(left.scratch_left);
  run.record.read_only->watched = run.record.trace.has_value();
  return watch.total() == 0 || evidence.interrupted_by.has_value();
}

/// What the service manager was asked. Each question is listed once with how often; of requests that change
/// something only those that follow upon each other are: their order is what a promotion goes by.
void list_units(const ServiceManager& manager, const Recording* recording, report::RunRecord& record) {
  using Key = std::tuple<std::string, std::string, std::string, units::Answered, std::string,
                         std::vector<std::string>, std::uint32_t>;
  std::map<Key, std::size_t> known;
  std::optional<Key> last;
  for (const auto& [asked, client] : manager.requests()) {
    const std::uint32_t process =
        recording == nullptr ? 0 : recording->process_at(client.pid, client.time_ns);
    Key key(asked.unit, asked.request, asked.mode, asked.answered, asked.detail, asked.also, process);
    const bool question = asked.request == "query";
    if (!question && last != key) known.erase(key);
    const auto [at, fresh] = known.emplace(key, record.units.size());
    if (!question) last = std::move(key);
    if (fresh)
      record.units.push_back({asked.unit, asked.request, asked.mode,
                              std::string(units::to_string(asked.answered)), asked.detail, asked.also,
                              process, 0});
    ++record.units[at->second].count;
  }
}

/// The policy goes into the bundle as it was: who reads the verdict later can see what it was judged by.
Result<void> judge(Run& run, const verdict::Policy& policy, const ledger::StateDir& state,
                   const ledger::Bundle& bundle) {
  run.record.verdict.clock_trusted = clock_is_trusted(state, run.record, policy);
  RH_TRY(auto judgement, judge_bundle(bundle, run.record, policy));
  run.record.verdict = std::move(judgement.verdict);
  run.record.digest = report::run_digest(run.record);
  return bundle.write_file("policy.json", policy.canonical);
}

}  // namespace

Result<Order> plan_rehearsal(const Options& asked, Purpose purpose, Writes writes) {
  Order order;
  order.begun_ns = monotonic_ns();
  order.asked = asked;
  order.options = asked;
  if (!asked.action.empty()) {
    RH_TRY(order.action, read_action_file(asked.action));
    RH_TRY(order.options, with_action(asked, *order.action));
  }
  if (writes == Writes::kAllowed) order.options.read_only = false;
  const Options& options = order.options;
  if (purpose == Purpose::kShow) RH_CHECK(verdict::load_policy(options.policy));
  RH_TRY(order.expected, plan_expectations(options, order.action ? &*order.action : nullptr));
  RH_TRY(auto request, make_request(options));
  if (purpose == Purpose::kRun) {
    RH_CHECK(sandbox::refuse_nested());
    RH_TRY(order.state, ledger::StateDir::open(options.state, ledger::Create::kYes));
    RH_TRY(request.state_dir, sys::read_link_at(AT_FDCWD, sys::fd_path(order.state->fd()).c_str()));
    if (options.trace) order.recording = std::make_unique<trace::Preparation>();
  } else {
    RH_TRY(request.state_dir, where_state_would_be(options.state));
  }
  RH_TRY(order.network, plan_network(options, order.action ? &*order.action : nullptr,
                                     order.state ? &*order.state : nullptr));
  if (options.read_only && !order.network->rules.pass.empty())
    return fail("--read-only: a network rule lets something out, which cannot be taken back",
                ExitCode::kUsage, "leave the rule out (--pass, [[pass]]), or mock the service");
  request.additions = order.network->trust();
  request.own_env = order.network->trust_variables();
  RH_TRY(order.facts, host::read_host_facts());
  RH_TRY(order.plan, sandbox::make_plan(std::move(request), order.facts));
  return order;
}

namespace {

/// Nothing: it tried to write and was ended; `input_cut`: what it had read is not all kept.
Result<std::optional<Finished>> rehearse_once(const Order& order, const Trial& trial, bool& input_cut) {
  const NoUmask exact;  // not around planning, which reads the caller's
  Run run{order, trial, {}, order.begun_ns};
  describe_request(run);
  const ledger::StateDir& state = *order.state;
  RH_CHECK(ledger::collect_interrupted(state,
                                       [](const std::string& id) { return sandbox::remove_leftovers(id); }));
  RH_TRY(auto bundle, state.create_run(run.record.action.argv));
  run.record.id = bundle.id();
  run.record.phases.plan_ns = run.end_phase();
  std::optional<Recording> recording;
  if (order.options.trace)
    recording.emplace(bundle, order.plan, *order.network, order.options, *order.recording);
  if (recording && trial.watch != nullptr) recording->watch(*trial.watch);
  ServiceManager manager(order.plan.request.profile == sandbox::Profile::kShifted ? sandbox::kIdShift : 0);
  if (trial.watch != nullptr) manager.watch(*trial.watch);
  const verdict::Expectations* expected = order.expected ? &*order.expected : nullptr;
  InsideChecks checks(expected);
  PolicyLoad load(order.options.policy);
  auto rehearsal = execute(run, bundle, recording ? &*recording : nullptr, manager, load, checks);
  if (!rehearsal) {
    (void)bundle.remove();  // the action never ran: there is nothing to keep
    return tl::make_unexpected(rehearsal.error());
  }
  sandbox::Evidence& evidence = rehearsal->evidence;
  run.record.phases.build_ns = evidence.build_ns;
  run.record.phases.run_ns = run.end_phase() - evidence.build_ns;
  if (recording) recording->end();
  manager.end();  // it holds the run's mounts
  record_evidence(run, evidence);
  auto read = read_changes(run, state, bundle, evidence);
  if (!read)
    return with_context(std::move(read).error(),
                        "run " + bundle.id() + " in " + state.path() + " has ended and has no report");
  const effects::ChangeSet changes = std::move(*read);
  run.record.phases.read_ns = run.end_phase();
  rehearsal->remains.reset();
  if (recording) recording->finish(evidence, run.hosts, run.record);
  if (recording && recording->asked_for_too_much())
    evidence.limits_hit.emplace_back(
        "disk space: it asked for more at once than the layers' filesystem has beside its reserve, or than "
        "it may write, and was told ENOSPC");
  if (trial.tried != nullptr) run.record.read_only = describe_read_only(*trial.tried, false);
  if (trial.watch != nullptr) {
    RH_TRY(const bool nothing, wrote_nothing(run, bundle, evidence));
    input_cut = evidence.input_cut;
    if (!nothing) {
      RH_CHECK(bundle.remove());
      return std::optional<Finished>();
    }
  }
  if (order.options.validators && evidence.start_error.empty() && !evidence.interrupted_by)
    validate({&state, &bundle, &order.plan, &order.facts}, run.record);
  list_units(manager, recording ? &*recording : nullptr, run.record);
  auto found = find_more(
      {&bundle, &evidence, order.plan.request.terminal, recording ? &*recording : nullptr, expected, &checks},
      run.record);
  settle_concerns(evidence, changes, recording ? &*recording : nullptr, run.record);
  find_and_name_gaps(evidence, changes, manager, *order.network, std::move(found), run.record);
  RH_CHECK(judge(run, load.policy(), state, bundle));
  run.record.phases.judge_ns = run.end_phase();
  RH_CHECK(bundle.finish(run.record));
  return std::optional<Finished>(Finished{std::move(bundle), std::move(run.record), load.take_policy()});
}

/// Only a trial may come to nothing.
Result<Finished> kept(std::optional<Finished> finished) {
  if (!finished) return fail("the run left no record", ExitCode::kFailure, "please report it");
  return std::move(*finished);
}

/// Where it can write nothing; if it tries, again where it can.
Result<Finished> rehearse_read_only(const Order& order) {
  RH_TRY(const auto watch, WriteWatch::create());
  RH_TRY(const auto input, InputAgain::create(order.options.in));
  bool input_cut = false;
  Trial trial;
  trial.watch = watch.get();
  trial.input = &input;
  RH_TRY(auto finished, rehearse_once(order, trial, input_cut));
  if (finished) return std::move(*finished);
  RH_CHECK(input.rewind(input_cut));
  if (order.options.notice) order.options.notice(tried_line(*watch));
  RH_TRY(const Order full, plan_rehearsal(order.asked, Purpose::kRun, Writes::kAllowed));
  trial.watch = nullptr;
  trial.tried = watch.get();
  RH_TRY(finished, rehearse_once(full, trial, input_cut));
  return kept(std::move(finished));
}

}  // namespace

Result<Finished> rehearse(const Order& order) {
  if (order.plan.request.read_only) return rehearse_read_only(order);
  bool input_cut = false;
  RH_TRY(auto finished, rehearse_once(order, Trial(), input_cut));
  return kept(std::move(finished));
}

void freeze_in_background(const ledger::Bundle& bundle) {
  if (!sandbox::start_freezer(bundle.fd(), ledger::kFrozenMark)) (void)bundle.freeze();
}

}  // namespace rehearse
