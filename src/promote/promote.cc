#include "promote/promote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/escape.h"
#include "base/stop_request.h"
#include "base/sys.h"
#include "base/units.h"
#include "effects/attributes.h"
#include "promote/authority.h"
#include "promote/binding.h"
#include "promote/budget.h"
#include "promote/commit.h"
#include "promote/decision.h"
#include "promote/in_effect.h"
#include "promote/moved_places.h"
#include "promote/object_writer.h"
#include "promote/operation_list.h"
#include "promote/package_owners.h"
#include "promote/read_context.h"
#include "promote/recover.h"
#include "promote/stage.h"
#include "promote/store_use.h"
#include "promote/time_grain.h"
#include "promote/turn.h"
#include "promote/unit_plan.h"
#include "promote/unit_runner.h"
#include "verdict/policy_set.h"

namespace rehearse::promote {
namespace {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

constexpr std::size_t kMostNamed = 20;  ///< paths in the ledger's line about a promotion

class Promotion {
 public:
  Promotion(const ledger::StateDir& state, const Order& order) : state_(state), order_(order) {
    outcome_.started_ns = realtime_ns();
    outcome_.dry_run = order.dry_run;
  }

  Result<Outcome> run() {
    const std::int64_t begun = monotonic_ns();
    RH_TRY(Turn turn, take_turn(state_, {order_.run.run, order_.dry_run, order_.wait_ns,
                                         [this](const std::string& what) { progress(what, 0); }}));
    outcome_.notes = std::move(turn.notes);
    const std::int64_t locked_ns = realtime_ns();
    RH_TRY(frozen_, open_frozen_bundle());
    outcome_.run = frozen_->record.id;
    outcome_.digest = frozen_->record.digest;
    RH_CHECK(is_known_whole(frozen_->record));
    RH_CHECK(check_named());
    RH_CHECK(order_.dry_run ? look_for_decision() : find_decision());
    RH_CHECK(plan());
    if (!order_.dry_run) RH_CHECK(check_spending());
    outcome_.left_out = plan_.left_out;
    plan_units();
    RH_CHECK(check_covered());
    looked_ns_ = stamp_after(locked_ns);
    RH_CHECK(check_staleness());
    note_idle_globs(order_.staleness, outcome_.staleness, outcome_.notes);
    outcome_.operations = list_operations(plan_, frozen_->changes, facts_);
    RH_CHECK(stop_request::check(kNothingChanged));
    outcome_.check_ns = monotonic_ns() - begun;
    if (!outcome_.staleness.moved.empty()) {
      RH_CHECK(check_not_in_effect());
      outcome_.exit = ExitCode::kStale;
      outcome_.why = "the host has moved since the rehearsal";
      outcome_.again = again();
      outcome_.fix = fix_of(outcome_.staleness.moved);
      return std::move(told());
    }
    note_idle_accepts(order_.staleness.accept, outcome_.staleness, outcome_.notes);
    RH_CHECK(preflight());
    outcome_.check_ns = monotonic_ns() - begun;
    if (!order_.dry_run && volumes_.empty() && !units_.pending() && authority_.skip) {
      // Nothing is to be installed; that nobody had to look at it is on record all the same.
      RH_TRY(outcome_.decision, decisions_->add(*authority_.skip));
    }
    if (order_.dry_run || (volumes_.empty() && !units_.pending())) return std::move(told());
    RH_CHECK(commit_all());
    return std::move(outcome_);
  }

 private:
  void progress(std::string_view phase, std::uint64_t count, std::uint64_t total = 0) const {
    if (order_.progress) order_.progress(phase, count, total);
  }

  UnitWork::Progress unit_progress() const {
    return [this](std::uint64_t count) { progress("asking the service manager", count); };
  }

  /// How to rehearse anew what was rehearsed. Secrets in its words were overwritten: then nobody can tell.
  std::string again() const {
    const report::Action& action = frozen_->record.action;
    if (action.redacted || action.argv.empty()) return {};
    if (action.name && action.as_filed) return "run " + shell_quote(*action.name);
    std::string text = "run --cwd " + shell_quote(action.cwd);
    if (!frozen_->record.trace) text += " --no-trace";
    if (action.uid != 0) text += " --user " + std::to_string(action.uid);
    text += " --";
    for (const std::string& word : action.argv) text += ' ' + shell_quote(word);
    return text;
  }

  Result<std::unique_ptr<FrozenBundle>> open_frozen_bundle() {
    RH_TRY(FrozenBundle frozen, open_frozen(state_, order_.run.run, order_.run.digest));
    return std::make_unique<FrozenBundle>(std::move(frozen));
  }

  /// A path that is none of the run's is a slip.
  Result<void> check_named() const {
    if (order_.selection.takes_all()) return {};
    std::vector<std::string> paths;
    for (const Change& change : frozen_->changes) {
      paths.push_back(change.path);
      if (!change.from.empty()) paths.push_back(change.from);
    }
    const std::string* stray = order_.selection.stray(paths);
    if (stray == nullptr) return {};
    return fail("--only or --except " + *stray + ": the run changed nothing there", ExitCode::kUsage,
                "see: rehearse show " + outcome_.run);
  }

  Result<void> find_decision() {
    RH_TRY(decisions_, open_decisions());
    auto found = find_authority(state_, *decisions_, *frozen_, order_.who, realtime_ns());
    if (!found) return refusal(std::move(found).error());
    authority_ = std::move(*found);
    outcome_.authority = authority_.reason;
    return {};
  }

  /// Of what is promoted already it is no help that one approval is for one promotion.
  [[nodiscard]] tl::unexpected<Error> refusal(Error error) const {
    const auto in_effect = find_whole_in_effect(frozen_->bundle);
    if (error.exit != ExitCode::kNotApproved || !in_effect || in_effect->empty())
      return tl::make_unexpected(std::move(error));
    return fail("run " + outcome_.run + " is not approved anew: it is promoted already, by " + *in_effect +
                    ", and is in effect",
                ExitCode::kNotApproved,
                "to promote it anew take it back first: rehearse rollback " + outcome_.run);
  }

  /// That nobody has approved it is no reason not to show what would be done, nor to fail: somebody still
  /// may.
  Result<void> look_for_decision() {
    auto found = find_decision();
    if (found || found.error().exit == ExitCode::kDataError) return found;
    const bool blocked =
        found.error().exit == ExitCode::kRed || found.error().exit == ExitCode::kInconclusive;
    if (blocked)
      blocked_ = std::move(found).error();
    else
      outcome_.notes.push_back("it would not be promoted now: " + found.error().what);
    RH_TRY(authority_.policy, verdict::load_policy({}));
    return {};
  }

  /// What would be done is shown; that no approval lets it pass is what comes of it.
  Outcome& told() {
    if (!blocked_) return outcome_;
    outcome_.exit = blocked_->exit;
    outcome_.why = blocked_->what;
    outcome_.fix = blocked_->fix;
    return outcome_;
  }

  /// That a run has moved the host itself, and has not been taken back, is not called stale.
  Result<void> check_not_in_effect() const {
    RH_TRY(const auto numbers, kept_journals(frozen_->bundle));
    std::set<std::string> moved;
    for (const Moved& one : outcome_.staleness.moved)
      if (one.use == "written") moved.insert(one.path);
    for (const std::uint32_t number : numbers) {
      RH_TRY(const Journal journal, read_kept_journal(frozen_->bundle, number));
      if (journal.header.kind != JournalKind::kPromotion || journal.stage != Stage::kCommitted) continue;
      RH_TRY(const auto in_effect, find_in_effect(frozen_->bundle, journal, numbers));
      for (std::size_t i = 0; i < in_effect.size(); ++i) {
        const Operation& operation = journal.operations[i];
        if (!in_effect[i] || operation.time_only || operation.to.area != Area::kHost) continue;
        const std::string path = journal.volumes[operation.volume].shown(operation.to.path);
        if (moved.contains(path)) return is_on_host(path);
      }
    }
    return {};
  }

  /// What helps where the host has moved.
  static std::string fix_of(std::span<const Moved> moved) {
    const auto refused = std::ranges::find(moved, false, &Moved::acceptable);
    if (refused == moved.end())
      return "rehearse again, or name what is to be overwritten all the same: --accept PATH";
    return "rehearse again: what is at " + refused->path +
           " would go though nobody has rehearsed that, which --accept does not allow";
  }

  Result<void> check_spending() {
    const std::int64_t now = realtime_ns();
    effects_ = effects_of(*frozen_, plan_.taken, now);
    RH_TRY(const auto spent, decisions_->effects_since(now - kBudgetWindowNs));
    return check_budgets(authority_.policy.limits_per_hour, spent, effects_, now);
  }
  Result<std::unique_ptr<ledger::Decisions>> open_decisions() {
    RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state_));
    return std::make_unique<ledger::Decisions>(std::move(decisions));
  }

  /// A volume of any layer, for the plan's questions and for the check.
  Result<UsedVolume*> volume_of(std::uint32_t layer) {
    const auto known = by_layer_.find(layer);
    if (known != by_layer_.end()) return known->second.get();
    for (const report::LayerRecord& record : frozen_->record.layers) {
      if (record.index != layer) continue;
      RH_TRY(UsedVolume used, use_volume(frozen_->bundle, record.mountpoint, layer));
      return by_layer_.emplace(layer, std::make_unique<UsedVolume>(std::move(used))).first->second.get();
    }
    return fail("the run has no layer " + std::to_string(layer), ExitCode::kDataError, "rehearse again");
  }

  Result<void> plan() {
    std::vector<PlanLayer> layers;
    for (const report::LayerRecord& record : frozen_->record.layers)
      layers.push_back({record.index, record.mountpoint});
    std::optional<Error> trouble;
    const StandsAt stands_at = [&](std::uint32_t layer, const std::string& path,
                                   const effects::Attributes& before) {
      auto used = volume_of(layer);
      if (!used) {
        trouble = used.error();
        return false;
      }
      const auto st = (*used)->volume.find({Area::kHost, path});
      return st && *st && (*st)->st_ino == before.ino;
    };
    RH_TRY(plan_, make_plan(frozen_->changes, layers, order_.selection, stands_at));
    if (trouble) return tl::make_unexpected(*trouble);
    for (const LayerPlan& layer : plan_.layers) {
      RH_TRY(UsedVolume * used, volume_of(layer.layer));
      volumes_.push_back(std::move(*used));
    }
    by_layer_.clear();
    return {};
  }

  void plan_units() {
    std::vector<ledger::UnitStep> steps = plan_unit_steps(frozen_->record.units);
    if (!order_.selection.takes_all()) leave_other_parts(steps, frozen_->changes, plan_.taken);
    units_ = UnitWork(steps, concerned_units(steps));
    if (!order_.units.carry_out) units_.leave("--no-units");
    units_.put_early_stops(frozen_->changes, plan_.taken);
    outcome_.units = units_.steps();
  }

  /// What is mounted over something hides what was rehearsed: everything there would seem to have moved.
  Result<void> check_covered() {
    std::vector<Volume*> volumes;
    for (UsedVolume& used : volumes_) volumes.push_back(&used.volume);
    return check_mount_points(volumes, touched_by(plan_, frozen_->changes, {}));
  }

  Result<void> check_staleness() {
    progress("comparing with the host", 0);
    RH_TRY(const std::string boot, sys::read_file("/proc/sys/kernel/random/boot_id", 64));
    StalenessRules rules = order_.staleness;
    rules.other_boot = !boot.starts_with(frozen_->record.host_boot_id);
    RH_TRY(rules.own, OwnMoves::read(frozen_->bundle));
    std::vector<StaleIgnore> ignore = default_stale_ignore();
    for (const std::string& glob : authority_.policy.stale_ignore) ignore.push_back({glob, "policy"});
    rules.ignore.insert(rules.ignore.begin(), ignore.begin(), ignore.end());
    std::vector<Volume> volumes = lend();
    auto checked = check_written(frozen_->changes, plan_, volumes, rules, facts_, outcome_.staleness);
    if (checked && frozen_->record.trace) {
      checked = check_reads(frozen_->reads, read_context(*frozen_, plan_, facts_, outcome_.staleness.moved),
                            rules, outcome_.staleness);
    } else if (checked) {
      checked = check_mounts(frozen_->changes, plan_, volumes, frozen_->record.created_ns, rules,
                             state_.path(), outcome_.staleness);
    }
    take_home(volumes);
    if (checked) name_package_owners(state_, outcome_.staleness);
    return checked;
  }

  std::vector<Volume> lend() {
    std::vector<Volume> volumes;
    for (UsedVolume& used : volumes_) volumes.push_back(std::move(used.volume));
    return volumes;
  }
  void take_home(std::vector<Volume>& volumes) {
    for (std::size_t v = 0; v < volumes.size(); ++v) volumes_[v].volume = std::move(volumes[v]);
  }

  Result<void> preflight() {
    progress("looking for obstacles", 0);
    std::vector<Volume> volumes = lend();
    PreflightInput input;
    input.changes = frozen_->changes;
    input.plan = &plan_;
    input.volumes = volumes;
    input.facts = facts_;
    for (const UsedVolume& used : volumes_) input.adopted.push_back(used.entry.adopted);
    input.held_open = order_.held_open;
    input.state_path = state_.path();
    auto report = check_preflight(input);
    take_home(volumes);
    if (!report) return tl::make_unexpected(std::move(report).error());
    std::move(report->notes.begin(), report->notes.end(), std::back_inserter(outcome_.notes));
    if (units_.pending() && !has_service_manager())
      return fail("the run asked the service manager for something, and systemd does not run this host",
                  ExitCode::kUnavailable, "promote the files alone: --no-units");
    in_place_.insert(report->in_place.begin(), report->in_place.end());
    touched_ = std::move(report->touched);
    return {};
  }

  Result<void> commit_all() {
    CommitOrder commit_order;
    RH_TRY(const auto kept, kept_journals(frozen_->bundle));
    commit_order.state = &state_;
    commit_order.bundle = &frozen_->bundle;
    commit_order.header.run = outcome_.run;
    commit_order.header.number = kept.empty() ? 1 : kept.back() + 1;
    commit_order.header.digest = outcome_.digest;
    if (!authority_.decisions.empty())
      commit_order.header.decision = static_cast<std::uint64_t>(authority_.decisions.back());
    commit_order.header.whole = order_.selection.takes_all();
    commit_order.header.begun_ns = outcome_.started_ns;
    RH_TRY(commit_order.header.boot_id, sys::read_file("/proc/sys/kernel/random/boot_id", 256));
    commit_order.tag = tag_of(commit_order.header.number);
    commit_order.volumes = volumes_;
    outcome_.id = outcome_.run + '/' + std::to_string(commit_order.header.number);
    const std::int64_t begun = monotonic_ns();
    commit_order.looked_ns = looked_ns_;
    commit_order.prepare = [&] { return stage_all(commit_order.tag); };
    commit_order.admit = [&](std::span<const Operation> operations) -> Result<void> {
      outcome_.stage_ns = monotonic_ns() - begun;
      RH_TRY(outcome_.decision, decisions_->admit({outcome_.run, outcome_.id, authority_.newest_seen,
                                                   authority_.decisions, authority_.skip, authority_.spends,
                                                   effects_, row("begun", operations.size(), "")}));
      RH_CHECK(units_.announce(state_, outcome_.id));
      units_.carry_out_early(state_, outcome_.id, order_.units, unit_progress());
      return {};
    };
    commit_order.settled = [&](const CommitResult& result) -> Result<void> {
      settled_ns_ = monotonic_ns();
      outcome_.window_ns = result.window_ns;
      units_.carry_out(state_, outcome_.id, order_.units, unit_progress());
      take_units();
      return record("done", outcome_.operations.size(), outcome_.why);
    };
    commit_order.given_up = [&](const std::string& why) -> Result<void> {
      take_units_back();
      RH_CHECK(decisions_->release(outcome_.id));
      UnitWork::withdraw(state_, outcome_.id);
      return decisions_->end(outcome_.id, "rolled back", why, realtime_ns());
    };
    commit_order.last_look = [&](std::span<Volume> volumes) { return check_still_shown(volumes, touched_); };
    commit_order.verify = [&](std::span<Volume> volumes) { return check_gone(volumes); };
    commit_order.progress = [&](std::uint64_t count) {
      progress("committing", count, outcome_.operations.size());
    };
    RH_TRY(const CommitResult result, commit(commit_order));
    outcome_.commit_ns = (settled_ns_ != 0 ? settled_ns_ : monotonic_ns()) - begun - outcome_.stage_ns;
    outcome_.window_ns = result.window_ns;
    take_result(result);
    if (!result.undone.failed.empty()) (void)record("incomplete", outcome_.operations.size(), outcome_.why);
    (void)learn_from(state_, authority_, outcome_.exit, outcome_.why);
    return {};
  }

  /// What was stopped for files that stay runs again.
  void take_units_back() {
    units_.take_back(state_, outcome_.id, order_.units);
    outcome_.units = units_.steps();
    for (const std::string& line : units_.failed()) outcome_.notes.push_back("service manager: " + line);
  }

  void take_result(const CommitResult& result) {
    if (!result.committed) outcome_.units = units_.steps();
    outcome_.kept = result.undone.kept;
    outcome_.left_alone = result.undone.left;
    outcome_.not_undone = result.undone.failed;
    if (result.committed) outcome_.notes.insert(outcome_.notes.end(), overruled_.begin(), overruled_.end());
    if (result.committed) return;
    outcome_.why = result.why;
    outcome_.fix = result.fix;
    if (!result.undone.failed.empty()) {
      outcome_.exit = ExitCode::kRollbackIncomplete;
      outcome_.fix = kRecoverAgain;
    } else if (result.cause == ExitCode::kStale) {
      outcome_.exit = ExitCode::kStale;
    } else {
      outcome_.exit = ExitCode::kRolledBack;
    }
  }

  void take_units() {
    outcome_.units = units_.steps();
    if (!units_.unkept().empty()) outcome_.notes.push_back(units_.unkept());
    const auto failed = units_.failed();
    if (failed.empty()) return;
    outcome_.exit = ExitCode::kDiverged;
    outcome_.why =
        "the files are promoted; the service manager did not do what was rehearsed: " + failed.front();
    if (failed.size() > 1) outcome_.why += " (and " + std::to_string(failed.size() - 1) + " more)";
    outcome_.fix = "see what it says of the unit; or take all back: rehearse rollback " + outcome_.run;
  }

  Result<void> record(const char* result, std::uint64_t operations, const std::string& detail) {
    return decisions_->record(row(result, operations, detail));
  }
  ledger::PromotionRow row(const char* result, std::uint64_t operations, const std::string& detail) const {
    ledger::PromotionRow row;
    row.id = outcome_.id;
    row.run = outcome_.run;
    row.digest = outcome_.digest;
    row.kind = "promote";
    row.decision = outcome_.decision;
    row.who = order_.who;
    row.started_ns = outcome_.started_ns;
    row.finished_ns = realtime_ns();
    row.result = result;
    row.operations = operations;
    row.window_ns = outcome_.window_ns;
    row.detail = detail;
    for (const std::string& line : overruled()) row.detail += (row.detail.empty() ? "" : "; ") + line;
    return row;
  }

  /// What would have stopped it, and the operator let pass: that is on record.
  std::vector<std::string> overruled() const {
    std::vector<std::string> lines;
    const std::vector<std::string>& accepted = outcome_.staleness.accepted;
    if (!accepted.empty()) {
      std::string line = "accepted although it had moved: " + accepted.front();
      for (std::size_t i = 1; i < std::min(accepted.size(), kMostNamed); ++i) line += ", " + accepted[i];
      if (accepted.size() > kMostNamed)
        line += " and " + std::to_string(accepted.size() - kMostNamed) + " more";
      lines.push_back(std::move(line));
    }
    for (const StaleIgnore& one : order_.staleness.ignore) lines.push_back(one.by + ' ' + one.glob);
    if (order_.held_open != HeldOpen::kRefuse)
      lines.emplace_back(order_.held_open == HeldOpen::kReplace ? "--held-open replace"
                                                                : "--held-open in-place");
    return lines;
  }

  Result<std::vector<Operation>> stage_all(const std::string& tag) {
    RH_TRY(const StoreUse use, StoreUse::read(frozen_->bundle));
    std::vector<Operation> all;
    std::uint64_t count = 0;
    std::uint64_t total = 0;
    for (const LayerPlan& layer : plan_.layers) total += layer.stages.size();
    for (std::uint32_t v = 0; v < volumes_.size(); ++v) {
      const LayerPlan& layer = plan_.layers[v];
      UsedVolume& used = volumes_[v];
      RH_TRY(const UniqueFd upper,
             frozen_->bundle.open_dir(("uppers/" + std::to_string(layer.layer)).c_str()));
      Stager stager(frozen_->changes, layer, used.volume, upper.get(), used.entry.adopted, tag);
      RH_CHECK(stager.prepare());
      RH_CHECK(find_time_grain(used, tag));
      stager.keep_times_in(used.entry.time_grain_ns);
      std::vector<Staged> staged;
      staged.reserve(layer.stages.size());
      for (const StageItem& item : layer.stages) RH_CHECK(check_unused(used, use, item));
      const auto prepared = [&](std::uint64_t number) {
        if (((count + number) & 63U) == 0) progress("preparing", count + number, total);
      };
      const bool ahead = stager.check_ahead(prepared);
      for (std::size_t s = 0; s < layer.stages.size(); ++s) {
        RH_CHECK(stop_request::check(kNothingChanged));
        RH_TRY(Staged one, stage_one(v, use, stager, s));
        staged.push_back(std::move(one));
        if (!ahead) prepared(s + 1);
      }
      count += layer.stages.size();
      round_times(used.entry);
      RH_TRY(const auto rewritten, save_rewritten(v, tag));
      RH_TRY(auto operations,
             bind_operations(frozen_->changes, layer, v, used.volume, facts_, staged, tag, rewritten));
      note_overruled(used.volume, operations);
      all.insert(all.end(), std::make_move_iterator(operations.begin()),
                 std::make_move_iterator(operations.end()));
    }
    return all;
  }

  /// What somebody had there, and the operator has let go, is named with where it is.
  void note_overruled(const Volume& volume, std::span<const Operation> operations) {
    const auto& accepted = outcome_.staleness.accepted;
    for (const Operation& operation : operations) {
      const bool exchange = operation.kind == OperationKind::kExchange;
      const bool removes = operation.kind == OperationKind::kMove && operation.from.area == Area::kHost &&
                           operation.to.area == Area::kStore;
      if (!exchange && !removes) continue;
      const std::string path = volume.shown(exchange ? operation.to : operation.from);
      if (std::ranges::find(accepted, path) == accepted.end()) continue;
      overruled_.push_back(path + ": what was there since the rehearsal is kept as " +
                           volume.shown(exchange ? operation.from : operation.to) + " for a rollback");
    }
  }

  /// What is copied gets its times as they are kept where it goes.
  Result<void> find_time_grain(UsedVolume& used, const std::string& tag) {
    if (used.entry.adopted) return {};
    RH_TRY(const UniqueFd kept,
           sys::open_beneath(used.volume.store(), kKept, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(used.entry.time_grain_ns, time_grain(kept.get(), tag + 't'));
    const std::int64_t grain_ns = used.entry.time_grain_ns;
    if (grain_ns != 1)
      outcome_.notes.push_back(fmt::format("{} keeps times in steps of {}: so are those of what comes there",
                                           used.volume.mountpoint(), format_duration(grain_ns)));
    return {};
  }

  void round_times(const JournalVolume& volume) {
    if (volume.time_grain_ns == 1) return;
    for (Change& change : frozen_->changes) {
      if (change.layer == volume.layer && change.after)
        change.after->mtime_ns = on_grain(change.after->mtime_ns, volume.time_grain_ns);
    }
  }

  /// Where the run's own objects are used, one may have been used before: it is an old object now, or
  /// somebody else's, and nothing is to be done to it.
  Result<void> check_unused(const UsedVolume& used, const StoreUse& use, const StageItem& item) const {
    if (!used.entry.adopted || item.how == StageItem::How::kDirectory) return {};
    const std::string& path = frozen_->changes[item.change].path;
    if (use.has_put(used.entry.token, item.path)) return is_on_host(path);
    if (use.keeps(used.entry.token, "upper/" + item.path)) return holds_what_was_kept(path);
    return {};
  }
  Result<Staged> stage_one(std::uint32_t v, const StoreUse& use, Stager& stager, std::size_t number) const {
    auto staged = stager.stage(number);
    const UsedVolume& used = volumes_[v];
    const StageItem& item = plan_.layers[v].stages[number];
    if (staged || staged.error().exit != ExitCode::kDataError || !used.entry.adopted ||
        item.how == StageItem::How::kDirectory)
      return staged;
    const std::string& path = frozen_->changes[item.change].path;
    if (use.has_put_above(used.entry.token, item.path)) return is_on_host(path);
    if (use.keeps_below(used.entry.token, "upper/" + item.path)) return holds_what_was_kept(path);
    if (use.may_keep(used.entry.token, "upper/" + item.path)) return holds_what_was_kept(path);
    return staged;
  }
  tl::unexpected<Error> is_on_host(const std::string& path) const {
    return fail(path + ": an earlier promotion of the run is in effect there", ExitCode::kTryLater,
                "take that back first: rehearse rollback " + outcome_.run);
  }
  static tl::unexpected<Error> holds_what_was_kept(const std::string& path) {
    return fail(path +
                    ": in place of what the run had for it lies what was kept aside for somebody, see "
                    "`rehearse show`",
                ExitCode::kDataError, "rehearse again");
  }

  /// Copies of the old bytes of what is to be rewritten in place.
  Result<std::map<std::size_t, Place>> save_rewritten(std::uint32_t v, const std::string& tag) {
    std::map<std::size_t, Place> saved;
    for (const std::size_t i : in_place_) {
      if (frozen_->changes[i].layer != plan_.layers[v].layer) continue;
      Volume& volume = volumes_[v].volume;
      const Place from{Area::kHost, plan_.origins[i]};
      const Place to{Area::kStore, std::string(kKept) + '/' + tag + 's' + std::to_string(i)};
      const std::string shown = volume.shown(from);
      RH_TRY(const int from_dir, unless_moved(volume.parent(from), shown));
      RH_TRY(const UniqueFd source_parent, sys::dup(from_dir));
      RH_TRY(const int to_dir, volume.parent(to));
      const std::string name(leaf_of(from.path));
      std::optional<struct stat> st;
      RH_TRY(const effects::Attributes now,
             unless_moved(
                 effects::read_attributes(source_parent.get(), name.c_str(), st, effects::Content::kSkip),
                 shown));
      RH_CHECK(unless_moved(
          copy_object(source_parent.get(), name, to_dir, std::string(leaf_of(to.path)), FileType::kFile, now),
          shown));
      const auto& accepted = outcome_.staleness.accepted;
      const bool moved =
          std::find(accepted.begin(), accepted.end(), frozen_->changes[i].path) != accepted.end();
      outcome_.notes.push_back(
          shown +
          (moved ? ": what was written there since the rehearsal is written over; all of it is kept as "
                 : ": its old bytes are kept as ") +
          volume.shown(to));
      saved.emplace(i, to);
    }
    return saved;
  }

  /// What was to be removed and was gone already has not come back.
  Result<void> check_gone(std::span<Volume> volumes) {
    for (std::size_t v = 0; v < plan_.layers.size(); ++v) {
      volumes[v].forget_parents();
      for (const Step& step : plan_.layers[v].steps) {
        if (step.change == Step::kNone || !is_gone_already(step, frozen_->changes, facts_)) continue;
        const auto st = volumes[v].find(step.from);
        if (st && *st)
          return fail(volumes[v].shown(step.from) + " has appeared again meanwhile", ExitCode::kStale,
                      "rehearse again");
      }
    }
    return {};
  }

  const ledger::StateDir& state_;
  const Order& order_;
  Outcome outcome_;
  std::unique_ptr<FrozenBundle> frozen_;
  std::unique_ptr<ledger::Decisions> decisions_;
  Authority authority_;
  std::optional<Error> blocked_;  ///< a dry run: why no approval would let it pass
  ledger::PromotionEffects effects_;
  Plan plan_;
  std::map<std::uint32_t, std::unique_ptr<UsedVolume>> by_layer_;
  std::vector<UsedVolume> volumes_;  ///< of plan_.layers
  std::vector<std::optional<Facts>> facts_;
  std::set<std::size_t> in_place_;
  std::vector<Touched> touched_;
  std::vector<std::string> overruled_;  ///< lines
  UnitWork units_;
  std::int64_t looked_ns_ = 0;   ///< CLOCK_REALTIME, before the host was compared
  std::int64_t settled_ns_ = 0;  ///< CLOCK_MONOTONIC when all files were in place
};

}  // namespace

Result<Outcome> promote_run(const ledger::StateDir& state, const Order& order) {
  return Promotion(state, order).run();
}

}  // namespace rehearse::promote
