#include "promote/binding.h"

#include <sys/stat.h>

#include <iterator>
#include <unordered_map>
#include <utility>

#include "promote/object_writer.h"

namespace rehearse::promote {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

namespace {

class Binder {
 public:
  Binder(std::span<const Change> changes, const LayerPlan& plan, std::uint32_t index, Volume& volume,
         std::span<const std::optional<Facts>> facts, std::span<const Staged> staged, const std::string& tag,
         const std::map<std::size_t, Place>& rewritten)
      : changes_(changes),
        plan_(plan),
        index_(index),
        volume_(volume),
        facts_(facts),
        staged_(staged),
        tag_(tag),
        rewritten_(rewritten) {}

  Result<std::vector<Operation>> bind() {
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      const Step& step = plan_.steps[s];
      Operation operation;
      operation.kind = step.kind;
      operation.volume = index_;
      operation.type = step.type;
      operation.entries = step.entries;
      operation.to = step.to;
      if (step.kind == OperationKind::kAttributes) {
        RH_TRY(const bool needed, bind_attributes(step, operation));
        if (!needed) continue;
      } else {
        if (is_gone_already(step, changes_, facts_)) continue;
        RH_CHECK(bind_rename(s, step, operation));
      }
      operations_.push_back(std::move(operation));
    }
    operations_.insert(operations_.end(), std::make_move_iterator(late_.begin()),
                       std::make_move_iterator(late_.end()));
    return std::move(operations_);
  }

 private:
  Result<void> bind_rename(std::size_t number, const Step& step, Operation& operation) {
    if (step.stage != Step::kNone) {
      operation.from = staged_[step.stage].place;
      operation.object = staged_[step.stage].facts;
      operation.print = print_of(changes_[step.change].type, *changes_[step.change].after);
      // Something stands there by now, and the operator has named it.
      const bool accepted =
          step.kind == OperationKind::kMove && !changes_[step.change].before && facts_[step.change];
      if (accepted) operation.kind = OperationKind::kExchange;
      if (operation.kind == OperationKind::kExchange && !facts_[step.change]) {
        // What stood there is gone by now, and the operator has named it.
        operation.kind = OperationKind::kMove;
        operation.entries = false;
      }
      if (operation.kind == OperationKind::kExchange) {
        RH_TRY(operation.displaced, host_facts(step));
        operation.displaced_print = print_of_old(step);
        if (const auto saved = rewritten_.find(step.change); saved != rewritten_.end())
          return bind_rewrite(step, saved->second, operation);
      }
      if (operation.kind == OperationKind::kExchange && (accepted || operation.type == FileType::kDir))
        RH_CHECK(keep_times(step, operation));
      new_objects_[step.to.path] = operation.object;
      return {};
    }
    if (step.parked != Step::kNone) {
      operation.from = parked_.at(step.parked);
      RH_TRY(operation.object, host_facts(step));
      return {};
    }
    operation.from = step.from;
    RH_TRY(operation.object, host_facts(step));
    if (step.to_kept) {
      operation.print = print_of_old(step);
      operation.to = {Area::kStore, std::string(kKept) + '/' + tag_ + std::to_string(number)};
      parked_[number] = operation.to;
    }
    return {};
  }

  /// xfs gives a directory that changes its parent by an exchange a new time.
  Result<void> keep_times(const Step& step, Operation& operation) {
    const Place old{Area::kHost, step.origin};
    RH_TRY(const auto st, unless_moved(volume_.find(old), volume_.shown(old)));
    const bool was_directory = st && S_ISDIR(st->st_mode);
    const bool is_directory = changes_[step.change].type == FileType::kDir;
    if (was_directory || is_directory) operation.type = FileType::kDir;
    if (is_directory) keep_time(step.to, operation.object, true);
    if (was_directory) keep_time(old, operation.displaced, false);
    return {};
  }

  /// After all renames `object` has its time again: the new one when it is done, the old one when it is
  /// undone.
  void keep_time(const Place& place, const Facts& object, bool is_new) {
    Operation time;
    time.kind = OperationKind::kAttributes;
    time.volume = index_;
    time.type = FileType::kDir;
    time.from = place;
    time.to = place;
    time.object = object;
    time.time_only = true;
    (is_new ? time.after : time.before).emplace().mtime_ns = object.mtime_ns;
    late_.push_back(std::move(time));
  }

  Result<void> bind_rewrite(const Step& step, const Place& saved, Operation& operation) {
    operation.kind = OperationKind::kRewrite;
    operation.saved = saved;
    operation.object = std::exchange(operation.displaced, {});
    Operation attributes;
    attributes.kind = OperationKind::kAttributes;
    attributes.volume = index_;
    attributes.type = step.type;
    attributes.from = {Area::kHost, step.to.path};
    attributes.to = step.to;
    attributes.object = operation.object;
    attributes.object.ctime_ns = 0;
    attributes.entries = true;  // its size and times move
    RH_TRY(attributes.before, read_at(step.to, step.type));
    attributes.after = settings_of(*changes_[step.change].after);
    late_.push_back(std::move(attributes));
    return {};
  }

  Result<Facts> host_facts(const Step& step) const {
    const auto& facts = facts_[step.change];
    if (!facts)
      return fail(changes_[step.change].path + ": what was renamed to it is not there any more",
                  ExitCode::kStale, "rehearse again");
    return loose(changes_[step.change], *facts);
  }

  /// Of the host's object, where it is the one on record, untouched and of known type, and cannot be given
  /// new attributes under another name.
  std::optional<ObjectPrint> print_of_old(const Step& step) const {
    const Change& change = changes_[step.change];
    const auto& facts = facts_[step.change];
    if (!change.before || !facts || change.before->link_group || change.kind == ChangeKind::kType)
      return std::nullopt;
    if (facts->ino != change.before->ino || facts->ctime_ns != change.before->ctime_ns) return std::nullopt;
    return print_of(change.type, *change.before);
  }

  /// Renaming one name of an object moves the change time under all of its names.
  static Facts loose(const Change& change, Facts facts) {
    if (change.before && change.before->link_group) facts.ctime_ns = 0;
    return facts;
  }

  /// False: there is nothing to set.
  Result<bool> bind_attributes(const Step& step, Operation& operation) {
    operation.from = {Area::kHost, step.origin};
    const auto made = new_objects_.find(step.to.path);
    if (step.change != Step::kNone && made != new_objects_.end()) {
      // A new directory that was filled since: it does not come back by undoing.
      operation.from = step.to;
      operation.object = made->second;
      operation.after = settings_of(*changes_[step.change].after);
      operation.time_only = true;
      return true;
    }
    RH_TRY(const auto st, unless_moved(volume_.find(operation.from), volume_.shown(operation.from)));
    if (!st) return false;  // the selection leaves its maker out
    operation.object = facts_of(*st);
    if (step.change != Step::kNone) operation.object = loose(changes_[step.change], operation.object);
    if (step.change == Step::kNone) {
      Settings then;
      then.mtime_ns = operation.object.mtime_ns;
      operation.before = then;
      if (step.restore_time) operation.after = then;
      operation.time_only = true;
      return true;
    }
    Settings wanted = settings_of(*changes_[step.change].after);
    RH_TRY(const Settings now, read_at(operation.from, step.type));
    // Others have written in it since, or set it: its time is theirs, unless the run has set one.
    const Change& change = changes_[step.change];
    const bool is_set = step.type != FileType::kDir && change.after->mtime_ns != change.before->mtime_ns;
    if (!is_set && now.mtime_ns != change.before->mtime_ns) wanted.mtime_ns = now.mtime_ns;
    operation.before = now;
    operation.after = wanted;
    Settings timeless = now;
    timeless.mtime_ns = wanted.mtime_ns;
    operation.time_only = timeless == wanted;
    return true;
  }

  Result<Settings> read_at(const Place& place, FileType type) {
    if (place.path.empty()) return read_settings(volume_.root(), "", type);
    RH_TRY(const int dir, unless_moved(volume_.parent(place), volume_.shown(place)));
    return unless_moved(read_settings(dir, std::string(leaf_of(place.path)), type), volume_.shown(place));
  }

  std::span<const Change> changes_;
  const LayerPlan& plan_;
  std::uint32_t index_;
  Volume& volume_;
  std::span<const std::optional<Facts>> facts_;
  std::span<const Staged> staged_;
  const std::string& tag_;
  const std::map<std::size_t, Place>& rewritten_;
  std::vector<Operation> operations_;
  std::vector<Operation> late_;  ///< attributes of what is rewritten
  std::unordered_map<std::size_t, Place> parked_;
  std::unordered_map<std::string, Facts> new_objects_;  ///< by path on the host
};

}  // namespace

bool is_gone_already(const Step& step, std::span<const Change> changes,
                     std::span<const std::optional<Facts>> facts) {
  return step.to_kept && changes[step.change].kind == ChangeKind::kDeleted && !facts[step.change];
}

Result<std::vector<Operation>> bind_operations(std::span<const Change> changes, const LayerPlan& plan,
                                               std::uint32_t volume_index, Volume& volume,
                                               std::span<const std::optional<Facts>> facts,
                                               std::span<const Staged> staged, const std::string& tag,
                                               const std::map<std::size_t, Place>& rewritten) {
  return Binder(changes, plan, volume_index, volume, facts, staged, tag, rewritten).bind();
}

}  // namespace rehearse::promote
