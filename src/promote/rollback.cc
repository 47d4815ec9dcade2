#include "promote/rollback.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "effects/manifest.h"
#include "promote/commit.h"
#include "promote/kept_times.h"
#include "promote/lock.h"
#include "promote/object_writer.h"
#include "promote/recover.h"
#include "promote/unit_plan.h"
#include "promote/unit_runner.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::FileType;

class Rollback {
 public:
  Rollback(const ledger::StateDir& state, const RollbackOrder& order, ledger::Bundle bundle)
      : state_(state), order_(order), bundle_(std::move(bundle)) {
    outcome_.rollback = true;
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
    RH_CHECK(choose());
    RH_CHECK(plan_units());
    RH_CHECK(bind());
    outcome_.check_ns = monotonic_ns() - begun;
    if (!outcome_.staleness.moved.empty()) {
      outcome_.exit = ExitCode::kStale;
      outcome_.why = "something has changed since it was promoted";
      outcome_.fix = "take back the rest: --except PATH for each of these; or these too: --accept PATH";
      return std::move(outcome_);
    }
    outcome_.units = units_.steps();
    if (order_.dry_run || (operations_.empty() && !units_.pending())) return std::move(outcome_);
    RH_CHECK(commit_all());
    return std::move(outcome_);
  }

 private:
  /// The newest promotion of which anything is in effect.
  Result<bool> find_promotion() {
    RH_TRY(const auto numbers, kept_journals(bundle_));
    if (numbers.empty())
      return fail("run " + bundle_.id() + " was not promoted", ExitCode::kUsage,
                  "there is nothing to take back");
    next_ = numbers.back() + 1;
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
      RH_TRY(Journal journal, read_kept_journal(bundle_, *number));
      if (journal.header.kind != JournalKind::kPromotion || journal.stage != Stage::kCommitted) continue;
      RH_TRY(auto found, find_volumes(journal, bundle_));
      for (std::size_t v = 0; v < found.gone.size(); ++v) {
        if (found.gone[v])
          return fail("what was kept on " + journal.volumes[v].mountpoint + " did not outlive a reboot",
                      ExitCode::kUnavailable, "that filesystem lies in memory: it cannot be taken back");
      }
      volumes_.clear();
      for (UsedVolume& used : found.volumes) volumes_.push_back(std::move(used));
      journal_ = std::move(journal);
      RH_TRY(const bool any, find_in_effect(numbers));
      if (any) return true;
    }
    return false;
  }

  Volume& volume(const Operation& operation) { return volumes_[operation.volume].volume; }

  /// Nothing where nothing is, also if the way there is gone.
  Result<std::optional<struct stat>> look(const Operation& operation, const Place& place) {
    auto found = volume(operation).find(place);
    if (found) return *found;
    const int err = found.error().err;
    if (err == ENOENT || err == ENOTDIR || err == ELOOP || err == EXDEV) return std::optional<struct stat>();
    return tl::make_unexpected(std::move(found).error());
  }

  static std::string key(const Operation& operation, const Place& place) {
    return fmt::format("{}{}{}", operation.volume, place.area == Area::kHost ? 'h' : 's', place.path);
  }

  /// What makes an operation known again in the journal of the rollback that took it back.
  static std::string mark_of(const Operation& operation, bool inverted) {
    const bool swapped =
        inverted && (operation.kind == OperationKind::kMove || operation.kind == OperationKind::kAttributes);
    const Place& from = swapped ? operation.to : operation.from;
    const Place& to = swapped ? operation.from : operation.to;
    // A rewrite has its two sources exchanged.
    const bool rewrite = operation.kind == OperationKind::kRewrite;
    return fmt::format("{}:{}>{}", static_cast<int>(operation.kind), rewrite ? "" : key(operation, from),
                       key(operation, to));
  }

  /// A directory's time that is set to what it was: done again as often as need be, and nothing by itself.
  static bool keeps_time(const Operation& operation) {
    return operation.time_only && operation.before && operation.before == operation.after;
  }

  /// Which operations no later rollback has taken back.
  Result<bool> find_in_effect(const std::vector<std::uint32_t>& numbers) {
    std::set<std::string> over;
    for (const std::uint32_t number : numbers) {
      if (number <= journal_.header.number) continue;
      RH_TRY(const Journal later, read_kept_journal(bundle_, number));
      if (later.header.kind != JournalKind::kRollback || later.stage != Stage::kCommitted ||
          later.header.of != journal_.header.number)
        continue;
      for (const Operation& operation : later.operations) {
        if (!keeps_time(operation)) over.insert(mark_of(operation, true));
      }
    }
    in_effect_.assign(journal_.operations.size(), true);
    bool any = false;
    for (std::size_t i = 0; i < journal_.operations.size(); ++i) {
      in_effect_[i] = !over.contains(mark_of(journal_.operations[i], false));
      any = any || (in_effect_[i] && !keeps_time(journal_.operations[i]));
    }
    RH_CHECK(find_units(numbers));
    return any || !asked_.empty();
  }

  /// What the promotion asked of the service manager, unless a later rollback has taken that back.
  Result<void> find_units(const std::vector<std::uint32_t>& numbers) {
    RH_TRY(ledger::UnitSteps table, ledger::UnitSteps::open(state_));
    const auto id_of = [&](std::uint32_t number) { return outcome_.run + '/' + std::to_string(number); };
    RH_TRY(asked_, table.of(id_of(journal_.header.number)));
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
    units_ = UnitWork(plan_unit_undo(asked_));
    if (!order_.units.carry_out) units_.leave("--no-units");
    if (units_.pending() && !has_service_manager()) units_.leave("systemd does not run this host");
    return {};
  }

  Result<std::optional<Settings>> settings_now(const Operation& operation, const Place& place) {
    RH_TRY(const auto st, look(operation, place));
    if (!st) return std::optional<Settings>();
    if (place.path.empty()) {
      RH_TRY(Settings settings, read_settings(volume(operation).root(), "", operation.type));
      return std::optional(std::move(settings));
    }
    RH_TRY(const int dir, volume(operation).parent(place));
    RH_TRY(Settings settings, read_settings(dir, std::string(leaf_of(place.path)), operation.type));
    return std::optional(std::move(settings));
  }

  Result<void> read_changes() {
    RH_TRY(const UniqueFd manifest, bundle_.open_file("manifest"));
    return effects::read_manifest(manifest.get(), [&](const Change& change) {
      if (change.after) after_.emplace(change.path, std::pair(change.type, *change.after));
      return true;
    });
  }

  std::vector<std::string> host_paths(const Operation& operation) {
    std::vector<std::string> paths;
    for (const Place* place : {&operation.from, &operation.to}) {
      if (place->area == Area::kHost && (operation.kind == OperationKind::kMove || place == &operation.to))
        paths.push_back(volume(operation).shown(*place));
    }
    return paths;
  }

  Result<void> choose() {
    std::vector<Operation> chosen;
    std::unordered_map<std::string, std::string> parked;  // store place -> host path it came from
    for (std::size_t i = 0; i < journal_.operations.size(); ++i) {
      const Operation& operation = journal_.operations[i];
      if (!in_effect_[i]) continue;
      auto paths = host_paths(operation);
      // The two halves of a move through the store go together.
      if (operation.kind == OperationKind::kMove && operation.to.area == Area::kStore)
        parked[key(operation, operation.to)] = paths.front();
      if (operation.kind == OperationKind::kMove && operation.from.area == Area::kStore) {
        const auto from = parked.find(key(operation, operation.from));
        if (from != parked.end()) paths.push_back(from->second);
      }
      std::size_t taken = 0;
      for (const std::string& path : paths) taken += order_.selection.takes(path) ? 1 : 0;
      if (taken == 0) {
        outcome_.left_out.push_back({paths.front(), "not selected"});
        continue;
      }
      if (taken != paths.size())
        return fail(
            paths.front() + " and " + paths.back() + " are one object, renamed: one of them is left out",
            ExitCode::kUsage, "select both or neither");
      chosen.push_back(operation);
    }
    operations_ = inverted(chosen);
    std::vector<Volume*> volumes;
    for (UsedVolume& used : volumes_) volumes.push_back(&used.volume);
    RH_TRY(const auto times, kept_times(volumes, operations_));
    operations_.insert(operations_.end(), times.begin(), times.end());
    for (const Operation& operation : operations_) show(operation);
    return {};
  }

  void show(const Operation& operation) {
    Shown shown;
    const bool to_host = operation.to.area == Area::kHost;
    shown.path = volume(operation).shown(to_host ? operation.to : operation.from);
    switch (operation.kind) {
      case OperationKind::kMove:
        shown.what = !to_host ? "remove" : operation.from.area == Area::kHost ? "rename" : "put";
        if (shown.what == "rename") shown.from = volume(operation).shown(operation.from);
        break;
      case OperationKind::kExchange:
        shown.what = "replace";
        break;
      case OperationKind::kRewrite:
        shown.what = "rewrite";
        break;
      case OperationKind::kAttributes:
        shown.what = operation.time_only ? "time" : "attributes";
        break;
    }
    outcome_.operations.push_back(std::move(shown));
  }

  void moved(const std::string& path, std::string then, std::string now) {
    for (const std::string& accepted : order_.accept) {
      if (!is_below(path, accepted)) continue;
      outcome_.staleness.accepted.push_back(path);
      return;
    }
    outcome_.staleness.moved.push_back({path, "promoted", std::move(then), std::move(now), ""});
  }

  /// Fills in what is expected of each object and finds what has changed since.
  Result<void> bind() {
    std::unordered_map<std::string, bool> from_store;  // store places that get their object by an earlier one
    for (Operation& operation : operations_) {
      switch (operation.kind) {
        case OperationKind::kMove:
          RH_CHECK(bind_move(operation, from_store));
          break;
        case OperationKind::kExchange:
          RH_CHECK(bind_exchange(operation));
          break;
        case OperationKind::kAttributes:
          RH_CHECK(bind_attributes(operation));
          break;
        case OperationKind::kRewrite:
          RH_CHECK(bind_rewrite(operation));
          break;
      }
    }
    return {};
  }

  Result<void> bind_move(Operation& operation, std::unordered_map<std::string, bool>& from_store) {
    const std::uint64_t ino = operation.object.ino;
    if (operation.from.area == Area::kHost) {
      const std::string shown = volume(operation).shown(operation.from);
      RH_TRY(const auto st, look(operation, operation.from));
      if (!st || st->st_ino != ino) {
        moved(shown, "the promoted object", st ? "another object" : "nothing");
        return {};
      }
      operation.object = facts_of(*st);
      operation.entries = true;  // what it holds is looked at below; earlier operations may take from it
      if (operation.to.area == Area::kStore) {
        from_store[key(operation, operation.to)] = true;
        if (renamed_here(operation)) return {};
        return check_unchanged(operation, operation.from, *st);
      }
      return {};
    }
    // Out of the store: nothing may be in its way, and nobody has written to it.
    if (!from_store.contains(key(operation, operation.from))) {
      RH_TRY(const auto st, look(operation, operation.from));
      if (!st || st->st_ino != ino)
        return fail(volume(operation).shown(operation.from) + ": what was kept is gone", ExitCode::kDataError,
                    "it cannot be taken back");
      check_kept(operation, operation.object, *st, volume(operation).shown(operation.to));
      operation.object = facts_of(*st);
    }
    RH_TRY(const auto newcomer, look(operation, operation.to));
    const bool leaves = std::any_of(operations_.begin(), operations_.end(), [&](const Operation& other) {
      return other.kind == OperationKind::kMove && other.volume == operation.volume &&
             other.from == operation.to;
    });
    if (newcomer && !leaves) {
      // Accepting does not help: it would have to be overwritten.
      outcome_.staleness.moved.push_back(
          {volume(operation).shown(operation.to), "removed", "nothing",
           fmt::format("inode {}, {} bytes", newcomer->st_ino, newcomer->st_size), ""});
    }
    return {};
  }

  /// A renamed object of the host, parked on its way: what is in it goes with it.
  bool renamed_here(const Operation& operation) const {
    for (const Operation& other : operations_) {
      if (other.kind == OperationKind::kMove && other.volume == operation.volume &&
          other.from == operation.to)
        return true;
    }
    return false;
  }

  void check_kept(const Operation& operation, const Facts& then, const struct stat& st,
                  const std::string& shown) {
    // An object with several names may have got new attributes by the promotion itself.
    if (S_ISDIR(st.st_mode) || operation.entries || st.st_nlink > 1) return;
    if (to_ns(st.st_mtim) == then.mtime_ns && static_cast<std::uint64_t>(st.st_size) == then.size) return;
    moved(shown, "as it was when it was replaced",
          "its old object was written to since, by somebody who had it open");
  }

  Result<void> bind_exchange(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.to);
    RH_TRY(const auto kept, look(operation, operation.from));
    if (!kept || kept->st_ino != operation.object.ino)
      return fail(volume(operation).shown(operation.from) + ": what was kept is gone", ExitCode::kDataError,
                  "it cannot be taken back");
    check_kept(operation, operation.object, *kept, shown);
    operation.object = facts_of(*kept);
    RH_TRY(const auto st, look(operation, operation.to));
    if (!st) {
      outcome_.staleness.moved.push_back({shown, "promoted", "the promoted object", "nothing", ""});
      return {};
    }
    const bool ours = st->st_ino == operation.displaced.ino;
    operation.displaced = facts_of(*st);
    operation.entries = S_ISDIR(st->st_mode);
    if (st->st_nlink > 1 && !S_ISDIR(st->st_mode)) operation.displaced.ctime_ns = 0;
    if (!ours) {
      moved(shown, "the promoted object",
            fmt::format("another object: inode {}, {} bytes", st->st_ino, st->st_size));
      return {};
    }
    return check_unchanged(operation, operation.to, *st);
  }

  Result<void> bind_attributes(Operation& operation) {
    operation.entries = true;
    RH_TRY(const auto st, look(operation, operation.from));
    if (!st || st->st_ino != operation.object.ino || !operation.before) return {};  // nothing to set any more
    const std::uint64_t ino = operation.object.ino;
    operation.object = facts_of(*st);
    operation.object.ino = ino;
    if (operation.time_only || to_ns(st->st_ctim) <= journal_.settled_ns) return {};
    RH_TRY(auto now, settings_now(operation, operation.from));
    Settings promoted = *operation.before;
    if (operation.type == FileType::kDir) promoted.mtime_ns = now->mtime_ns;
    if (now && *now == promoted) return {};
    moved(volume(operation).shown(operation.from), "the promoted attributes", "other attributes");
    return {};
  }

  Result<void> bind_rewrite(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.to);
    RH_TRY(const auto st, look(operation, operation.to));
    const bool same_object = st && st->st_ino == operation.object.ino;
    if (!same_object) {
      moved(shown, "the promoted file", st ? "another object" : "nothing");
      return {};
    }
    operation.object = facts_of(*st);
    return check_unchanged(operation, operation.to, *st);
  }

  /// The object is as the manifest has it; a directory with all that is in it.
  Result<void> check_unchanged(const Operation& operation, const Place& place, const struct stat& st) {
    Volume& on = volume(operation);
    const std::string shown = on.shown(place);
    const auto record = after_.find(shown);
    if (record == after_.end()) return {};
    const auto& [type, after] = record->second;
    const bool is_directory = S_ISDIR(st.st_mode);
    const bool settled = to_ns(st.st_ctim) <= journal_.settled_ns;
    if (!settled || (!is_directory && to_ns(st.st_mtim) != after.mtime_ns)) {
      RH_TRY(const int dir, on.parent(place));
      std::optional<struct stat> opened = st;
      RH_TRY(const Attributes now, effects::read_attributes(dir, std::string(leaf_of(place.path)).c_str(),
                                                            opened, effects::Content::kHash));
      Settings wanted = settings_of(after);
      Settings found = settings_of(now);
      if (is_directory) wanted.mtime_ns = found.mtime_ns = 0;
      const bool equal = wanted == found && now.target == after.target && now.rdev == after.rdev &&
                         (type != FileType::kFile || now.sha256 == after.sha256);
      if (!equal) moved(shown, "as it was promoted", "edited since");
    }
    if (!is_directory) return {};
    RH_TRY(const UniqueFd directory, open_below(on.root(), place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    for (const effects::Listed& entry : names) {
      const Place below{Area::kHost, place.path + '/' + std::string(entry.name)};
      if (comes_out(operation, below)) continue;
      if (after_.contains(on.shown(below))) {
        RH_TRY(const auto child, on.find(below));
        if (child) RH_CHECK(check_unchanged(operation, below, *child));
      } else {
        outcome_.staleness.moved.push_back({on.shown(below), "promoted", "nothing", "made since", ""});
      }
    }
    return {};
  }

  /// It is taken out of that directory before the directory goes.
  bool comes_out(const Operation& operation, const Place& place) const {
    return std::any_of(operations_.begin(), operations_.end(), [&](const Operation& other) {
      return other.kind == OperationKind::kMove && other.volume == operation.volume && other.from == place;
    });
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
    commit_order.prepare = [&]() -> Result<std::vector<Operation>> { return operations_; };
    commit_order.admit = [&](std::span<const Operation>) -> Result<void> {
      RH_CHECK(units_.announce(state_, outcome_.id));
      return record(decisions, "begun", "");
    };
    commit_order.settled = [&] {
      units_.carry_out(state_, outcome_.id, order_.units, [&](std::uint64_t count) {
        if (order_.progress) order_.progress("asking the service manager", count);
      });
    };
    commit_order.progress = [&](std::uint64_t count) {
      if (order_.progress) order_.progress("rolling back", count);
    };
    outcome_.id = outcome_.run + '/' + std::to_string(next_);
    const std::int64_t begun = monotonic_ns();
    auto result = commit(commit_order);
    if (!result) {
      UnitWork::withdraw(state_, outcome_.id);
      (void)decisions.end(outcome_.id, "rolled back", result.error().what, realtime_ns());
      return tl::make_unexpected(std::move(result).error());
    }
    outcome_.commit_ns = monotonic_ns() - begun;
    outcome_.window_ns = result->window_ns;
    outcome_.kept = result->undone.kept;
    outcome_.not_undone = result->undone.failed;
    if (result->committed) {
      for (UsedVolume& used : volumes_) (void)clean_up(used, outcome_.run, tag_of(journal_.header.number));
      take_units();
      return record(decisions, "done", outcome_.why);
    }
    UnitWork::withdraw(state_, outcome_.id);
    outcome_.why = result->why;
    outcome_.fix = result->fix;
    outcome_.exit = !result->undone.failed.empty()      ? ExitCode::kRollbackIncomplete
                    : result->cause == ExitCode::kStale ? ExitCode::kStale
                                                        : ExitCode::kFailure;
    (void)record(decisions, result->undone.failed.empty() ? "rolled back" : "incomplete", outcome_.why);
    return {};
  }

  void take_units() {
    outcome_.units = units_.steps();
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
  Outcome outcome_;
  Journal journal_;
  std::uint32_t next_ = 1;
  std::vector<UsedVolume> volumes_;
  std::vector<bool> in_effect_;
  std::vector<Operation> operations_;
  std::vector<ledger::UnitStep> asked_;  ///< by the promotion, and in effect
  UnitWork units_;
  std::unordered_map<std::string, std::pair<FileType, Attributes>> after_;  ///< of the manifest, by path
};

}  // namespace

Result<Outcome> roll_back_run(const ledger::StateDir& state, const RollbackOrder& order) {
  RH_TRY(const HostLock lock, HostLock::take(order.run, order.wait_ns));
  RH_TRY(const auto recovered, recover_all(state, lock));
  for (const Recovered& one : recovered) {
    if (one.way == Recovered::Way::kFailed)
      return fail("promotion " + one.id + " was interrupted and could not be undone",
                  ExitCode::kRollbackIncomplete, "see: rehearse recover");
  }
  RH_TRY(ledger::Bundle bundle, state.open_run(order.run));
  return Rollback(state, order, std::move(bundle)).run();
}

}  // namespace rehearse::promote
