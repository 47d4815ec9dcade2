#include "promote/rollback.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "effects/manifest.h"
#include "promote/commit.h"
#include "promote/ground.h"
#include "promote/in_effect.h"
#include "promote/incoming.h"
#include "promote/kept_aside.h"
#include "promote/kept_times.h"
#include "promote/moved_places.h"
#include "promote/object_writer.h"
#include "promote/package_owners.h"
#include "promote/parting.h"
#include "promote/recover.h"
#include "promote/rest.h"
#include "promote/rollback_binding.h"
#include "promote/selection.h"
#include "promote/stage.h"
#include "promote/time_grain.h"
#include "promote/turn.h"
#include "promote/unit_plan.h"
#include "promote/unit_runner.h"
#include "promote/unit_undo.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::FileType;

constexpr const char* kLookAgain = "see what has changed: rehearse rollback ";

class Rollback {
 public:
  /// `notes`: of what was recovered first.
  Rollback(const ledger::StateDir& state, const RollbackOrder& order, ledger::Bundle bundle,
           std::vector<std::string> notes)
      : state_(state), order_(order), bundle_(std::move(bundle)) {
    outcome_.rollback = true;
    outcome_.notes = std::move(notes);
    outcome_.dry_run = order.dry_run;
    outcome_.started_ns = realtime_ns();
    outcome_.run = bundle_.id();
  }

  Result<Outcome> run() {
    const std::int64_t begun = monotonic_ns();
    RH_TRY(const bool mine, bundle_.lock_when_over());
    if (!mine) return fail("run " + bundle_.id() + " is in use", ExitCode::kTryLater, "try again");
    RH_TRY(const report::RunRecord record, bundle_.read_record());
    outcome_.digest = record.digest;
    RH_TRY(const bool found, find_promotion());
    if (!found) return std::move(outcome_);
    RH_CHECK(read_changes());
    RH_CHECK(check_named());
    RH_CHECK(choose());
    RH_CHECK(plan_units());
    RH_CHECK(check_the_ground());
    looked_ns_ = stamp_after(outcome_.started_ns);
    const auto volumes = all_volumes();
    const std::string tag = tag_of(next_);
    RH_CHECK(bind_rollback({volumes, time_grains(), operations_, tag, after_, journal_.settled_ns,
                            order_.accept, outcome_.left_alone, given_up_, kept_},
                           outcome_.staleness));
    keep_edited();
    for (const Operation& operation : operations_)
      outcome_.operations.push_back(show_operation(operation, volume(operation)));
    for (const Kept& kept : kept_) outcome_.kept.push_back(order_.dry_run ? would_be(kept.line) : kept.line);
    outcome_.check_ns = monotonic_ns() - begun;
    if (!outcome_.staleness.moved.empty()) {
      outcome_.exit = ExitCode::kStale;
      outcome_.why = "something has changed since it was promoted";
      name_package_owners(state_, outcome_.staleness);
      outcome_.kept.clear();
      outcome_.rest = command_for_the_rest();
      outcome_.fix = outcome_.rest.empty()
                         ? "take these back too: --accept PATH; nothing else can be taken back by itself"
                         : "take back the rest (below), or these too: --accept PATH";
      return std::move(outcome_);
    }
    note_idle_accepts(order_.accept, outcome_.staleness, outcome_.notes);
    // What was accepted may go, too.
    if (!outcome_.staleness.accepted.empty()) RH_CHECK(check_the_ground());
    RH_CHECK(check_holders());
    RH_CHECK(check_room());
    outcome_.units = units_.steps();
    RH_CHECK(name_older());
    const bool nothing = operations_.empty() && given_up_.empty() && !units_.pending();
    if (nothing && !outcome_.left_out.empty()) outcome_.why = "everything that is in effect is left out";
    if (order_.dry_run || nothing) return std::move(outcome_);
    RH_CHECK(commit_all());
    return std::move(outcome_);
  }

 private:
  /// The newest promotion of which anything is in effect.
  Result<bool> find_promotion() {
    RH_TRY(const auto numbers, kept_journals(bundle_));
    if (!numbers.empty()) next_ = numbers.back() + 1;
    bool promoted = false;
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
      RH_TRY(Journal journal, read_kept_journal(bundle_, *number));
      if (journal.header.kind != JournalKind::kPromotion || journal.stage != Stage::kCommitted) continue;
      promoted = true;
      journal_ = std::move(journal);
      RH_TRY(const bool files, find_what_is_in_effect(numbers));
      // Of one that is taken back nothing is kept any more.
      if (files) RH_CHECK(open_stores());
      if (!files) in_effect_.assign(in_effect_.size(), false);
      if (files || !asked_.empty()) return true;
    }
    if (!promoted)
      return fail("run " + bundle_.id() + " was not promoted", ExitCode::kUsage,
                  "there is nothing to take back");
    return false;
  }

  /// One rollback takes back one promotion.
  Result<void> name_older() {
    RH_TRY(const auto numbers, kept_journals(bundle_));
    for (const std::uint32_t number : numbers) {
      if (number >= journal_.header.number) break;
      RH_TRY(const Journal older, read_kept_journal(bundle_, number));
      if (older.header.kind != JournalKind::kPromotion || older.stage != Stage::kCommitted) continue;
      RH_TRY(const auto in_effect, find_in_effect(bundle_, older, numbers));
      if (!has_files(older, in_effect)) continue;
      outcome_.notes.push_back("this takes back the newest of the promotions of run " + outcome_.run +
                               "; an older one stays in effect: roll back once more for it");
      return {};
    }
    return {};
  }

  Result<void> open_stores() {
    RH_TRY(auto found, find_volumes(journal_, bundle_, "rehearse rollback " + order_.run));
    for (std::size_t v = 0; v < found.gone.size(); ++v) {
      if (found.gone[v])
        return fail("what was kept on " + journal_.volumes[v].mountpoint + " did not outlive a reboot",
                    ExitCode::kUnavailable, "that filesystem lies in memory: it cannot be taken back");
    }
    volumes_ = std::move(found.volumes);
    return {};
  }

  /// There are none where no operation is in effect.
  Volume& volume(const Operation& operation) { return volumes_[operation.volume].volume; }
  std::vector<std::int64_t> time_grains() const {
    std::vector<std::int64_t> grains;
    for (const JournalVolume& volume : journal_.volumes) grains.push_back(volume.time_grain_ns);
    return grains;
  }
  std::vector<Volume*> all_volumes() {
    std::vector<Volume*> volumes;
    for (UsedVolume& used : volumes_) volumes.push_back(&used.volume);
    return volumes;
  }

  /// A line that says what is kept, of what is not yet.
  static std::string would_be(std::string line) {
    const std::size_t at = line.rfind(" kept as ");
    const std::size_t verb = at == std::string::npos ? at : line.rfind(' ', at - 1);
    if (verb != std::string::npos) line.replace(verb + 1, at - verb - 1, "would be");
    return line;
  }

  /// Which operations no later rollback has taken back. False: none, but for times that were kept.
  Result<bool> find_what_is_in_effect(const std::vector<std::uint32_t>& numbers) {
    RH_TRY(in_effect_, find_in_effect(bundle_, journal_, numbers));
    RH_CHECK(find_units(numbers));
    return has_files(journal_, in_effect_);
  }

  /// What the promotion asked of the service manager, unless a later rollback has taken that back.
  Result<void> find_units(const std::vector<std::uint32_t>& numbers) {
    RH_TRY(ledger::UnitSteps table, ledger::UnitSteps::open(state_));
    const auto id_of = [&](std::uint32_t number) { return outcome_.run + '/' + std::to_string(number); };
    RH_TRY(asked_, table.of(id_of(journal_.header.number)));
    RH_TRY(unit_states_, table.states_of(id_of(journal_.header.number)));
    std::erase_if(asked_,
                  [](const ledger::UnitStep& step) { return step.result == ledger::StepResult::kLeft; });
    for (const std::uint32_t number : numbers) {
      if (number <= journal_.header.number || asked_.empty()) continue;
      RH_TRY(const Journal later, read_kept_journal(bundle_, number));
      if (later.header.of != journal_.header.number) continue;
      RH_TRY(const auto undone, table.of(id_of(number)));
      if (!undone.empty()) asked_.clear();
    }
    return {};
  }

  Result<void> plan_units() {
    if (!order_.selection.takes_all()) return {};
    if (has_service_manager()) look_again(asked_, unit_states_, order_.units);
    std::vector<std::string> units;
    for (const ledger::UnitState& unit : unit_states_) units.push_back(unit.name);
    std::vector<ledger::UnitStep> steps = plan_unit_undo(asked_, unit_states_);
    if (units.empty()) units = concerned_units(steps);
    units_ = UnitWork(std::move(steps), units);
    if (!order_.units.carry_out) units_.leave("--no-units");
    if (units_.pending() && !has_service_manager()) units_.leave("systemd does not run this host");
    units_.stop_early();
    return {};
  }

  Result<void> read_changes() {
    RH_TRY(const UniqueFd manifest, bundle_.open_kept("manifest"));
    return effects::read_manifest(manifest.get(), [&](const Change& change) {
      if (!change.after) return true;
      Attributes after = *change.after;
      for (const JournalVolume& volume : journal_.volumes)
        if (volume.layer == change.layer) after.mtime_ns = on_grain(after.mtime_ns, volume.time_grain_ns);
      after_.emplace(change.path, std::pair(change.type, std::move(after)));
      return true;
    });
  }

  /// A path that is none of the promotion's is a slip.
  Result<void> check_named() {
    if (order_.selection.takes_all()) return {};
    std::vector<std::string> paths;
    for (const auto& some : paths_of_operations(journal_, in_effect_, after_))
      paths.insert(paths.end(), some.begin(), some.end());
    const std::string* stray = order_.selection.stray(paths);
    if (stray == nullptr) return {};
    return fail("PATH " + *stray + ": promoting the run did nothing there by itself", ExitCode::kUsage,
                "see: rehearse rollback " + outcome_.run + " --dry-run");
  }

  Result<void> choose() {
    std::vector<Operation> chosen;
    std::vector<std::size_t> taken;
    std::vector<std::size_t> left_out;
    const auto all_paths = paths_of_operations(journal_, in_effect_, after_);
    std::set<std::string> not_selected;
    chosen.reserve(journal_.operations.size());
    for (std::size_t i = 0; i < journal_.operations.size(); ++i) {
      const Operation& operation = journal_.operations[i];
      if (!in_effect_[i]) {
        if (operation.time_only) timed_.insert(place_key(operation, operation.from));
        continue;
      }
      const auto& paths = all_paths[i];
      const auto selected = static_cast<std::size_t>(std::ranges::count_if(
          paths, [&](const std::string& path) { return order_.selection.takes(path); }));
      if (selected == 0) {
        if (not_selected.insert(paths.front()).second)
          outcome_.left_out.push_back({paths.front(), "not selected"});
        left_out.push_back(i);
        continue;
      }
      if (selected != paths.size()) return one_object(paths);
      chosen.push_back(operation);
      taken.push_back(i);
    }
    RH_CHECK(check_parting(journal_, taken, left_out));
    // Of directories whose entries stay the times are theirs: alone they are no rollback.
    const auto stays = [&](const Operation& operation) { return is_time_beside(operation, left_out); };
    if (std::ranges::all_of(chosen, stays)) chosen.clear();
    operations_ = inverted(std::move(chosen));
    const auto volumes = all_volumes();
    RH_TRY(const auto times, kept_times(volumes, operations_, timed_));
    operations_.insert(operations_.end(), times.begin(), times.end());
    return {};
  }

  /// Some of the paths are selected, and some are not.
  tl::unexpected<Error> one_object(const std::vector<std::string>& paths) const {
    const auto takes = [&](const std::string& path) { return order_.selection.takes(path); };
    return fail(*std::ranges::find_if(paths, takes) + " and " + *std::ranges::find_if_not(paths, takes) +
                    " are one object: one of them is left out",
                ExitCode::kUsage, "select both or neither");
  }

  /// The time of a directory in which one of these operations of the promotion did something.
  [[nodiscard]] bool is_time_beside(const Operation& time, std::span<const std::size_t> others) const {
    if (!time.time_only || time.type != FileType::kDir) return false;
    const auto in_it = [&](const Place& place) {
      return place.area == Area::kHost && parent_of(place.path) == time.to.path;
    };
    return std::ranges::any_of(others, [&](std::size_t i) {
      const Operation& other = journal_.operations[i];
      return other.volume == time.volume && other.kind != OperationKind::kAttributes &&
             (in_it(other.from) || in_it(other.to));
    });
  }

  /// With what was asked for, but for what has changed. Empty: there is no rest.
  std::string command_for_the_rest() const {
    constexpr std::size_t kMostNamed = 50;
    const auto more =
        left_out_for_the_rest(journal_, in_effect_, after_, order_.selection, outcome_.staleness.moved);
    if (!more || more->size() > kMostNamed) return {};
    std::string command = "rollback " + outcome_.run;
    for (const std::string& path : order_.selection.only) command += ' ' + shell_quote(path);
    for (const auto* paths : {&order_.selection.except, &*more})
      for (const std::string& path : *paths) command += " --except " + shell_quote(path);
    for (const std::string& path : order_.accept) command += " --accept " + shell_quote(path);
    if (order_.held_open == HeldOpen::kReplace) command += " --held-open replace";
    if (!order_.units.carry_out) command += " --no-units";
    return command;
  }

  /// What would let it fail half-way.
  Result<void> check_the_ground() {
    const auto volumes = all_volumes();
    std::vector<Touched> touched;
    std::vector<std::string> paths;
    MovedPlaces moved;
    const auto add = [&](const Operation& operation, const Place& place, Touched::How how) {
      if (place.area != Area::kHost) return;
      paths.push_back(volume(operation).shown(place));
      const Place now = moved.origin(operation.volume, place);
      if (now.area == Area::kHost)
        touched.push_back({operation.volume, now.path, how, operation.type == FileType::kDir, false});
    };
    for (const Operation& operation : operations_) {
      switch (operation.kind) {
        case OperationKind::kMove:
          add(operation, operation.from, Touched::How::kDisplaced);
          add(operation, operation.to, Touched::How::kPut);
          break;
        case OperationKind::kExchange:
          add(operation, operation.to, Touched::How::kDisplaced);
          break;
        case OperationKind::kRewrite:
          add(operation, operation.to, Touched::How::kSet);
          break;
        case OperationKind::kAttributes:
          // Directories that only get their time back are those of the others.
          if (!operation.time_only || operation.type != FileType::kDir)
            add(operation, operation.from, Touched::How::kSet);
          break;
      }
      moved.take(operation);
    }
    RH_TRY(auto notes, check_ground({volumes, touched, paths, order_.held_open == HeldOpen::kRefuse}));
    touched_ = std::move(touched);
    for (std::string& note : notes) {
      if (std::ranges::find(outcome_.notes, note) == outcome_.notes.end())
        outcome_.notes.push_back(std::move(note));
    }
    return {};
  }

  /// Who writes to what the promotion put there would go on with an object that is not there any more.
  Result<void> check_holders() {
    const std::set<std::string> parked = taken_from_store(operations_);
    std::vector<Going> going;
    std::set<std::pair<std::size_t, std::string>> apart;
    MovedPlaces moved;
    for (const Operation& operation : operations_) {
      const bool exchange = operation.kind == OperationKind::kExchange;
      const Place& place = exchange ? operation.to : operation.from;
      if ((exchange || operation.kind == OperationKind::kMove) && place.area == Area::kHost) {
        const Place now = moved.origin(operation.volume, place);
        const bool stays = !exchange && (operation.to.area == Area::kHost ||
                                         parked.contains(place_key(operation, operation.to)));
        if (!exchange) apart.emplace(operation.volume, now.path);
        if (now.area == Area::kHost && !stays) going.push_back({operation.volume, now.path});
      }
      moved.take(operation);
    }
    const auto volumes = all_volumes();
    RH_TRY(HeldAnswer held, ask_who_holds({volumes, going, &apart, order_.held_open,
                                           "--held-open replace (it keeps that file)"}));
    std::move(held.notes.begin(), held.notes.end(), std::back_inserter(outcome_.notes));
    return {};
  }

  /// What is written anew, not renamed: the bytes that go back into their files. That there is no room for a
  /// copy of an edit shows before anything is done.
  Result<void> check_room() {
    constexpr std::int64_t kBlock = 512;  // of st_blocks, whatever the filesystem's are
    std::vector<std::int64_t> needs(volumes_.size());
    for (const Operation& operation : operations_) {
      if (operation.kind != OperationKind::kRewrite) continue;
      const auto old = volume(operation).find(operation.from);
      const auto now = volume(operation).find(operation.to);
      if (!old || !now || !*old || !*now) continue;  // what is gone, the commit finds out
      needs[operation.volume] += std::max<std::int64_t>((*old)->st_blocks - (*now)->st_blocks, 0) * kBlock;
    }
    for (std::size_t v = 0; v < needs.size(); ++v)
      if (needs[v] > 0)
        RH_CHECK(check_free(volumes_[v].volume, static_cast<std::uint64_t>(needs[v]), 0, Reserve::kUsed,
                            "what is to come back"));
    return {};
  }

  UnitWork::Progress unit_progress() const {
    return [this](std::uint64_t count) {
      if (order_.progress) order_.progress("asking the service manager", count, 0);
    };
  }

  Result<void> commit_all() {
    RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state_));
    CommitOrder commit_order;
    commit_order.state = &state_;
    commit_order.bundle = &bundle_;
    commit_order.header.kind = JournalKind::kRollback;
    commit_order.header.run = outcome_.run;
    commit_order.header.number = next_;
    commit_order.header.of = journal_.header.number;
    commit_order.header.digest = outcome_.digest;
    commit_order.header.begun_ns = outcome_.started_ns;
    RH_TRY(commit_order.header.boot_id, sys::read_file("/proc/sys/kernel/random/boot_id", 256));
    commit_order.tag = tag_of(next_);
    commit_order.volumes = volumes_;
    for (const Operation& operation : given_up_) commit_order.dropped.push_back(mark_of(operation, true));
    commit_order.kept = &kept_;
    commit_order.prepare = [&]() -> Result<std::vector<Operation>> {
      RH_CHECK(save_edited());
      return operations_;
    };
    commit_order.admit = [&](std::span<const Operation>) -> Result<void> {
      RH_TRY(kept_before_, kept_aside(bundle_));
      RH_CHECK(note_kept(bundle_, outcome_.kept));
      RH_CHECK(units_.announce(state_, outcome_.id));
      RH_CHECK(record(decisions, "begun", ""));
      units_.carry_out_early(state_, outcome_.id, order_.units, unit_progress());
      return {};
    };
    commit_order.looked_ns = looked_ns_;
    commit_order.last_look = [&](std::span<Volume> volumes) { return check_still_shown(volumes, touched_); };
    commit_order.settled = [&](const CommitResult& result) -> Result<void> {
      outcome_.window_ns = result.window_ns;
      units_.carry_out(state_, outcome_.id, order_.units, unit_progress());
      units_.forget_failures(state_, outcome_.id, order_.units, unit_states_);
      take_units();
      return record(decisions, "done", outcome_.why);
    };
    commit_order.given_up = [&](const std::string& why) -> Result<void> {
      take_units_back();
      UnitWork::withdraw(state_, outcome_.id);
      return decisions.end(outcome_.id, "rolled back", why, realtime_ns());
    };
    commit_order.progress = [&](std::uint64_t count) {
      if (order_.progress) order_.progress("rolling back", count, operations_.size());
    };
    outcome_.id = outcome_.run + '/' + std::to_string(next_);
    const std::int64_t begun = monotonic_ns();
    auto committed = commit(commit_order);
    if (!committed) {
      Error error = std::move(committed).error();
      if (error.exit == ExitCode::kStale) error.fix = std::string(kLookAgain) + outcome_.run + " --dry-run";
      return tl::make_unexpected(std::move(error));
    }
    const CommitResult result = std::move(*committed);
    outcome_.commit_ns = monotonic_ns() - begun;
    outcome_.window_ns = result.window_ns;
    if (!result.committed) {
      outcome_.kept = result.undone.kept;
      // What was to be kept has its place again.
      if (result.undone.failed.empty()) {
        kept_before_.insert(kept_before_.end(), outcome_.kept.begin(), outcome_.kept.end());
        (void)note_only_kept(bundle_, kept_before_);
      }
    }
    const std::vector<std::string>& left = result.undone.left;
    outcome_.left_alone.insert(outcome_.left_alone.end(), left.begin(), left.end());
    outcome_.not_undone = result.undone.failed;
    if (result.committed) return {};
    outcome_.units = units_.steps();
    outcome_.why = result.why;
    outcome_.fix =
        result.cause == ExitCode::kStale ? std::string(kLookAgain) + outcome_.run + " --dry-run" : result.fix;
    outcome_.exit = !result.undone.failed.empty()      ? ExitCode::kRollbackIncomplete
                    : result.cause == ExitCode::kStale ? ExitCode::kStale
                                                       : ExitCode::kRolledBack;
    if (!result.undone.failed.empty()) {
      outcome_.fix = kRecoverAgain;
      (void)record(decisions, "incomplete", outcome_.why);
    }
    return {};
  }

  /// Where copies are to be of what is rewritten though somebody has edited it.
  void keep_edited() {
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      Operation& operation = operations_[i];
      if (operation.kind != OperationKind::kRewrite || !operation.saved.path.empty()) continue;
      operation.saved = {Area::kStore, std::string(kKept) + '/' + tag_of(next_) + 'r' + std::to_string(i)};
      edited_.push_back(i);
      kept_.push_back({operation.volume, operation.saved.path,
                       volume(operation).shown(operation.to) + ": what is there since is kept as " +
                           volume(operation).shown(operation.saved)});
    }
  }
  Result<void> save_edited() {
    for (const std::size_t i : edited_) {
      const Operation& operation = operations_[i];
      Volume& on = volume(operation);
      const std::string shown = on.shown(operation.to);
      RH_TRY(const int from, unless_moved(on.parent(operation.to), shown));
      RH_TRY(const UniqueFd source, sys::dup(from));
      RH_TRY(const int to, on.parent(operation.saved));
      const std::string name(leaf_of(operation.to.path));
      std::optional<struct stat> st;
      RH_TRY(const Attributes now,
             unless_moved(effects::read_attributes(source.get(), name.c_str(), st, effects::Content::kSkip),
                          shown));
      auto copied = copy_object(source.get(), name, to, std::string(leaf_of(operation.saved.path)),
                                FileType::kFile, now);
      if (!copied) copied = tl::make_unexpected(name_full(std::move(copied).error(), on, kNothingChanged));
      RH_CHECK(unless_moved(std::move(copied), shown));
    }
    return {};
  }

  /// What was stopped for files that stay runs again.
  void take_units_back() {
    units_.take_back(state_, outcome_.id, order_.units);
    outcome_.units = units_.steps();
    for (const std::string& line : units_.failed()) outcome_.notes.push_back("service manager: " + line);
  }

  void take_units() {
    outcome_.units = units_.steps();
    if (!units_.unkept().empty()) outcome_.notes.push_back(units_.unkept());
    const auto failed = units_.failed();
    if (failed.empty()) return;
    outcome_.exit = ExitCode::kRollbackIncomplete;
    outcome_.why = "the files are back; the service manager did not follow: " + failed.front();
    if (failed.size() > 1) outcome_.why += " (and " + std::to_string(failed.size() - 1) + " more)";
    outcome_.fix = "see what it says of the unit";
  }

  Result<void> record(ledger::Decisions& decisions, const char* result, const std::string& detail) {
    ledger::PromotionRow row;
    row.id = outcome_.id;
    row.run = outcome_.run;
    row.digest = outcome_.digest;
    row.kind = "rollback";
    row.who = order_.who;
    row.started_ns = outcome_.started_ns;
    row.finished_ns = realtime_ns();
    row.result = result;
    row.operations = operations_.size();
    row.window_ns = outcome_.window_ns;
    row.detail = detail;
    return decisions.record(row);
  }

  const ledger::StateDir& state_;
  const RollbackOrder& order_;
  ledger::Bundle bundle_;
  std::vector<std::string> kept_before_;  ///< what the run kept already
  Outcome outcome_;
  Journal journal_;
  std::uint32_t next_ = 1;
  std::vector<UsedVolume> volumes_;
  std::vector<bool> in_effect_;
  std::vector<Operation> operations_;
  std::vector<Touched> touched_;     ///< by these
  std::vector<std::size_t> edited_;  ///< of these: rewrites of what somebody has edited
  std::int64_t looked_ns_ = 0;       ///< CLOCK_REALTIME when the host was looked at
  std::vector<Operation> given_up_;
  std::vector<Kept> kept_;
  std::set<std::string> timed_;          ///< directories whose times an earlier rollback has set back
  std::vector<ledger::UnitStep> asked_;  ///< by the promotion, and in effect
  std::vector<ledger::UnitState> unit_states_;
  UnitWork units_;
  RecordedObjects after_;
};

}  // namespace

Result<Outcome> roll_back_run(const ledger::StateDir& state, const RollbackOrder& order) {
  const auto waiting = [&](const std::string& what) {
    if (order.progress) order.progress(what, 0, 0);
  };
  RH_TRY(Turn turn, take_turn(state, {order.run, order.dry_run, order.wait_ns, waiting}));
  RH_TRY(ledger::Bundle bundle, state.open_run(order.run));
  return Rollback(state, order, std::move(bundle), std::move(turn.notes)).run();
}

}  // namespace rehearse::promote
