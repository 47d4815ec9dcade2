#include "promote/promotion_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "effects/attributes.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

/// A path as a manifest may hold it: no empty component, no "." and no "..".
bool is_clean(std::string_view relative) {
  if (relative.empty()) return true;
  for (std::size_t at = 0; at <= relative.size();) {
    const std::size_t end = std::min(relative.find('/', at), relative.size());
    const std::string_view part = relative.substr(at, end - at);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    at = end + 1;
  }
  return relative.find('\0') == std::string_view::npos;
}

std::optional<std::string> relative_to(const std::string& path, const std::string& mountpoint) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string relative;
  if (mountpoint == "/") {
    relative = path.substr(1);
  } else if (is_below(path, mountpoint)) {
    relative = path.size() == mountpoint.size() ? std::string() : path.substr(mountpoint.size() + 1);
  } else {
    return std::nullopt;
  }
  if (!is_clean(relative)) return std::nullopt;
  return relative;
}

bool has(const Change& change, std::string_view word) {
  return std::find(change.also.begin(), change.also.end(), word) != change.also.end();
}

class LayerPlanner {
 public:
  LayerPlanner(std::span<const Change> changes, const PlanLayer& layer, Plan& plan, const StandsAt& stands_at)
      : changes_(changes), layer_(layer), plan_(plan), stands_at_(stands_at), paths_(changes.size()) {
    out_.layer = layer.layer;
    out_.mountpoint = layer.mountpoint;
  }

  Result<void> make() {
    RH_CHECK(index());
    RH_CHECK(find_origins());
    choose();
    find_broken_links();
    find_unclean();
    RH_CHECK(check_selection());
    take_out();
    RH_CHECK(put_in());
    set_attributes();
    if (!out_.steps.empty()) plan_.layers.push_back(std::move(out_));
    return {};
  }

 private:
  /// What becomes of the object of a record.
  enum class Way : std::uint8_t { kNothing, kRemove, kPut, kExchange, kMove, kCopyAndRemove, kInPlace };

  tl::unexpected<Error> wrong(std::size_t i, const std::string& why, std::string fix) const {
    return fail(changes_[i].path + " " + why, ExitCode::kDataError, std::move(fix));
  }
  /// What is selected and what is left out cannot be parted.
  tl::unexpected<Error> parts(std::size_t i, const std::string& why, std::string fix) const {
    return fail(changes_[i].path + " " + why, ExitCode::kUsage, std::move(fix));
  }

  bool taken(std::size_t i) const { return plan_.taken[i]; }

  Result<void> index() {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const Change& change = changes_[i];
      if (change.layer != layer_.layer) continue;
      auto path = relative_to(change.path, layer_.mountpoint);
      if (!path)
        return wrong(i, "is no path below the mount " + layer_.mountpoint + " that its record names",
                     "the bundle is damaged; rehearse again");
      paths_[i] = std::move(*path);
      mine_.push_back(i);
      const bool consistent = change.kind == ChangeKind::kCreated   ? change.after && !change.before
                              : change.kind == ChangeKind::kDeleted ? change.before && !change.after
                                                                    : change.before && change.after;
      if (!consistent || (change.kind == ChangeKind::kRenamed) == change.from.empty())
        return wrong(i, "has a record that contradicts itself", "the bundle is damaged; rehearse again");
      if (paths_[i].empty() && change.kind != ChangeKind::kMetadata && change.kind != ChangeKind::kIdentical)
        return wrong(i, "is the root of a mount: it cannot be replaced", "rehearse something smaller");
      if (change.kind == ChangeKind::kDeleted) {
        if (change.type == FileType::kDir) deleted_directories_.emplace(paths_[i], i);
      } else {
        now_.emplace(paths_[i], i);
        if (change.kind == ChangeKind::kRenamed && change.type == FileType::kDir)
          renamed_directories_.emplace(paths_[i], i);
      }
    }
    return {};
  }

  /// The nearest renamed directory above `path`.
  std::optional<std::size_t> renamed_above(std::string_view path) const {
    for (std::string_view at = parent_of(path); !at.empty(); at = parent_of(at)) {
      const auto found = renamed_directories_.find(std::string(at));
      if (found != renamed_directories_.end()) return found->second;
    }
    return std::nullopt;
  }

  /// Where the object that the action saw at `path` stood, by the renames above it.
  std::string origin_of(const std::string& path) const {
    const auto above = renamed_above(path);
    if (!above) return path;
    const auto from = relative_to(changes_[*above].from, layer_.mountpoint);
    return from.value_or("") + path.substr(paths_[*above].size());
  }

  Result<void> find_origins() {
    for (const std::size_t i : mine_) {
      const Change& change = changes_[i];
      if (!change.before) {
        plan_.origins[i] = origin_of(paths_[i]);
        continue;
      }
      if (!change.from.empty()) {
        auto from = relative_to(change.from, layer_.mountpoint);
        if (!from || from->empty())
          return wrong(i, "is renamed from outside its mount", "the bundle is damaged; rehearse again");
        plan_.origins[i] = std::move(*from);
        continue;
      }
      plan_.origins[i] = origin_of(paths_[i]);
      if (change.kind != ChangeKind::kDeleted || plan_.origins[i] == paths_[i]) continue;
      // What is deleted is recorded as the host has it; in older bundles by where the action saw it.
      if (stands_at_(layer_.layer, paths_[i], *change.before) ||
          !stands_at_(layer_.layer, plan_.origins[i], *change.before))
        plan_.origins[i] = paths_[i];
    }
    return {};
  }

  bool is_created_directory(std::string_view path) const {
    const auto found = now_.find(std::string(path));
    if (found == now_.end()) return false;
    const Change& change = changes_[found->second];
    return change.type == FileType::kDir &&
           (change.kind == ChangeKind::kCreated || change.kind == ChangeKind::kType);
  }

  void choose() {
    ways_.assign(changes_.size(), Way::kNothing);
    for (const std::size_t i : mine_) {
      if (!taken(i)) continue;
      const Change& change = changes_[i];
      switch (change.kind) {
        case ChangeKind::kDeleted:
          ways_[i] = Way::kRemove;
          break;
        case ChangeKind::kCreated:
          ways_[i] = Way::kPut;
          break;
        case ChangeKind::kType:
        case ChangeKind::kModified:
          ways_[i] = Way::kExchange;
          break;
        case ChangeKind::kMetadata:
        case ChangeKind::kIdentical:
          ways_[i] = Way::kInPlace;
          break;
        case ChangeKind::kRenamed: {
          const bool single = change.before->nlink == 1 && change.after->nlink == 1;
          const bool whole = change.type == FileType::kDir || (single && !has(change, "modified") &&
                                                               !is_created_directory(parent_of(paths_[i])));
          ways_[i] = whole ? Way::kMove : Way::kCopyAndRemove;
          break;
        }
      }
    }
  }

  /// An object with several names stays only if they are the same names as before, all of one object.
  void find_broken_links() {
    std::map<std::uint64_t, std::set<std::uint64_t>> after_of;   // inode before -> inodes after
    std::map<std::uint64_t, std::set<std::uint64_t>> before_of;  // inode after -> inodes before, 0: none
    for (const std::size_t i : mine_) {
      const Change& change = changes_[i];
      if (!change.after || change.type == FileType::kDir) continue;
      const bool in_place = ways_[i] == Way::kInPlace;
      if (change.before) after_of[change.before->ino].insert(change.after->ino);
      before_of[change.after->ino].insert(in_place ? change.before->ino : 0);
    }
    for (const std::size_t i : mine_) {
      const Change& change = changes_[i];
      if (ways_[i] != Way::kInPlace || change.type == FileType::kDir) continue;
      if (change.before->nlink == 1 && change.after->nlink == 1) continue;
      if (after_of[change.before->ino].size() != 1 || before_of[change.after->ino].size() != 1)
        ways_[i] = Way::kExchange;
    }
  }

  /// A new directory moves in as a whole unless something below it comes from elsewhere or stays out.
  void find_unclean() {
    for (const std::size_t i : mine_) {
      const bool from_upper = ways_[i] == Way::kPut || ways_[i] == Way::kCopyAndRemove;
      if (from_upper || changes_[i].kind == ChangeKind::kDeleted) continue;
      for (std::string_view at = parent_of(paths_[i]); !at.empty(); at = parent_of(at)) {
        if (!is_created_directory(at)) break;
        unclean_.insert(std::string(at));
      }
    }
  }

  bool is_whole(std::string_view path) const {
    return is_created_directory(path) && !unclean_.contains(std::string(path));
  }

  Result<void> check_selection() {
    for (const std::size_t i : mine_) {
      const Change& change = changes_[i];
      const std::string parent(parent_of(paths_[i]));
      if (taken(i) && change.after) {
        const auto above = now_.find(parent);
        if (above != now_.end() && !taken(above->second) &&
            (is_created_directory(parent) || changes_[above->second].kind == ChangeKind::kRenamed))
          return parts(i, "needs its directory, which is left out",
                       "select " + changes_[above->second].path + " as well");
      }
      if (!taken(i) && change.kind == ChangeKind::kDeleted) {
        const auto above = deleted_directories_.find(parent);
        if (above != deleted_directories_.end() && taken(above->second))
          return parts(i, "is left out, but lies in a directory that is to be deleted",
                       "leave out " + changes_[above->second].path + " as well");
      }
      if (!taken(i) || !change.after || change.type == FileType::kDir || change.after->nlink < 2) continue;
      if (const auto group = groups().find(change.after->ino); group != groups().end()) {
        for (const std::size_t other : group->second) {
          if (!taken(other))
            return parts(i, "and " + changes_[other].path + " are one file: one of them is left out",
                         "select both or neither");
        }
      }
    }
    return {};
  }

  const std::unordered_map<std::uint64_t, std::vector<std::size_t>>& groups() {
    if (groups_.empty()) {
      for (const std::size_t i : mine_) {
        const Change& change = changes_[i];
        if (change.after && change.type != FileType::kDir && change.after->nlink > 1)
          groups_[change.after->ino].push_back(i);
      }
      if (groups_.empty()) groups_[0];
    }
    return groups_;
  }

  static bool leaves(Way way) {
    return way == Way::kRemove || way == Way::kMove || way == Way::kCopyAndRemove;
  }

  void take_out() {
    std::vector<std::size_t> leaving;
    std::unordered_set<std::string> removed;  // directories that go with everything still in them
    for (const std::size_t i : mine_) {
      if (!taken(i)) continue;
      const Change& change = changes_[i];
      if (ways_[i] == Way::kRemove && change.type == FileType::kDir) removed.insert(plan_.origins[i]);
      if (ways_[i] == Way::kExchange && change.kind == ChangeKind::kType) removed.insert(plan_.origins[i]);
      if (leaves(ways_[i]) || ways_[i] == Way::kExchange) concerned_.insert(plan_.origins[i]);
      if (ways_[i] == Way::kMove) moved_.emplace(plan_.origins[i], paths_[i]);
    }
    for (const std::size_t i : mine_) {
      if (!leaves(ways_[i])) continue;
      if (ways_[i] == Way::kRemove && removed.contains(std::string(parent_of(plan_.origins[i])))) continue;
      leaving.push_back(i);
    }
    // What is in a directory comes before it.
    std::sort(leaving.begin(), leaving.end(),
              [&](std::size_t a, std::size_t b) { return path_less(plan_.origins[b], plan_.origins[a]); });
    std::unordered_set<std::string> emptied;  // directories that lost an entry already
    for (const std::size_t i : leaving) {
      Step step;
      step.change = i;
      step.type = changes_[i].type;
      step.from = {Area::kHost, plan_.origins[i]};
      step.entries = emptied.contains(plan_.origins[i]);
      if (ways_[i] == Way::kMove && moves_at_once(i)) {
        step.to = {Area::kHost, paths_[i]};
        entries_changed(paths_[i]);
        at_once_.insert(i);
        emptied.insert(std::string(parent_of(paths_[i])));
      } else {
        step.to_kept = true;
        step.to = {Area::kStore, {}};
        if (ways_[i] == Way::kMove) parked_[i] = out_.steps.size();
      }
      for (std::string_view at = plan_.origins[i]; !at.empty();) {
        at = parent_of(at);
        emptied.insert(std::string(at));
      }
      left_from(plan_.origins[i]);
      out_.steps.push_back(std::move(step));
    }
    emptied_ = std::move(emptied);
  }

  /// Nothing else concerns the new name and what leads to it.
  bool moves_at_once(std::size_t i) const {
    if (concerned_.contains(paths_[i])) return false;
    for (std::string_view at = parent_of(paths_[i]); !at.empty(); at = parent_of(at)) {
      if (concerned_.contains(std::string(at))) return false;
      const auto found = now_.find(std::string(at));
      if (found == now_.end()) continue;
      const ChangeKind kind = changes_[found->second].kind;
      if (kind != ChangeKind::kMetadata && kind != ChangeKind::kIdentical) return false;
    }
    return true;
  }

  Result<void> put_in() {
    std::vector<std::size_t> coming;
    for (const std::size_t i : mine_) {
      const Way way = ways_[i];
      const bool comes = way == Way::kPut || way == Way::kExchange || way == Way::kCopyAndRemove ||
                         (way == Way::kMove && !at_once_.contains(i));
      if (!comes) continue;
      if (way != Way::kMove && is_whole(parent_of(paths_[i]))) continue;  // comes with its directory
      coming.push_back(i);
    }
    std::sort(coming.begin(), coming.end(),
              [&](std::size_t a, std::size_t b) { return path_less(paths_[a], paths_[b]); });
    for (const std::size_t i : coming) {
      const Change& change = changes_[i];
      Step step;
      step.change = i;
      // What stood there may have been a directory.
      step.type = change.kind == ChangeKind::kType ? FileType::kDir : change.type;
      step.to = {Area::kHost, paths_[i]};
      step.from = {Area::kStore, {}};
      if (ways_[i] == Way::kMove) {
        step.parked = parked_.at(i);
      } else {
        step.kind = ways_[i] == Way::kExchange ? OperationKind::kExchange : OperationKind::kMove;
        step.entries = ways_[i] == Way::kExchange && emptied_.contains(plan_.origins[i]);
        step.origin = plan_.origins[i];
        step.stage = out_.stages.size();
        StageItem item;
        item.change = i;
        item.path = paths_[i];
        item.how = change.type == FileType::kDir && unclean_.contains(paths_[i]) ? StageItem::How::kDirectory
                                                                                 : StageItem::How::kWhole;
        out_.stages.push_back(std::move(item));
      }
      if (step.kind == OperationKind::kExchange)
        exchanged_in(paths_[i]);
      else
        entries_changed(paths_[i]);
      out_.steps.push_back(std::move(step));
    }
    return {};
  }

  // Directories whose own times the renames move: by the path they will have.
  void entries_changed(std::string_view path) { parents_[std::string(parent_of(path))] = false; }
  void exchanged_in(std::string_view path) { parents_.emplace(std::string(parent_of(path)), true); }
  void left_from(const std::string& origin) {
    std::string parent(parent_of(origin));
    // Where that directory will be; what goes itself does not matter.
    for (std::string_view at = parent; !at.empty(); at = parent_of(at)) {
      const auto found = moved_.find(std::string(at));
      if (found != moved_.end()) {
        parent = found->second + parent.substr(at.size());
        entries_changed(parent + "/x");
        return;
      }
      if (concerned_.contains(std::string(at))) {
        going_.insert(parent);
        return;
      }
    }
    entries_changed(parent.empty() ? "x" : parent + "/x");
  }

  void set_attributes() {
    std::unordered_set<std::uint64_t> done;  // inodes with several names, once
    std::vector<std::size_t> staying;
    for (const std::size_t i : mine_) {
      const Change& change = changes_[i];
      const bool directory = change.type == FileType::kDir;
      const bool unclean = directory && change.after && unclean_.contains(paths_[i]) &&
                           (ways_[i] == Way::kPut || ways_[i] == Way::kExchange);
      if (ways_[i] != Way::kInPlace && ways_[i] != Way::kMove && !unclean) continue;
      if (!unclean && !directory && change.before->nlink > 1 && !done.insert(change.before->ino).second)
        continue;
      const bool touched = parents_.contains(paths_[i]);
      if (!unclean && !touched && settings_of(*change.before) == settings_of(*change.after)) continue;
      staying.push_back(i);
    }
    for (const std::size_t i : staying) {
      Step step;
      step.kind = OperationKind::kAttributes;
      step.change = i;
      step.type = changes_[i].type;
      step.to = {Area::kHost, paths_[i]};
      step.origin = changes_[i].before ? plan_.origins[i] : paths_[i];
      parents_.erase(paths_[i]);
      out_.steps.push_back(std::move(step));
    }
    for (const auto& [path, only_exchanged] : parents_) {
      // A directory with a record that came as a whole has its times already; nothing is put into it later.
      const auto record = now_.find(path);
      const bool recorded = record != now_.end();
      if (recorded && taken(record->second) && is_created_directory(path)) continue;
      Step step;
      step.kind = OperationKind::kAttributes;
      step.type = FileType::kDir;
      step.to = {Area::kHost, path};
      step.origin = origin_of(path);
      // Without a record it has the time that it had, though entries of it changed: the action gave it back.
      step.restore_time = only_exchanged || !recorded;
      out_.steps.push_back(std::move(step));
    }
    // What goes itself has lost an entry before: should it come back, its time does too.
    for (const std::string& origin : going_) {
      Step step;
      step.kind = OperationKind::kAttributes;
      step.type = FileType::kDir;
      step.origin = origin;
      step.to = {Area::kHost, origin};
      out_.steps.push_back(std::move(step));
    }
  }

  std::span<const Change> changes_;
  const PlanLayer& layer_;
  Plan& plan_;
  const StandsAt& stands_at_;
  LayerPlan out_;
  std::vector<std::string> paths_;  ///< of each record of this layer, as they will be
  std::vector<std::size_t> mine_;
  std::vector<Way> ways_;
  std::unordered_map<std::string, std::size_t> now_;  ///< what stands there after
  std::unordered_map<std::string, std::size_t> renamed_directories_;
  std::unordered_map<std::string, std::size_t> deleted_directories_;
  std::unordered_map<std::string, std::string> moved_;  ///< of moved objects: old path -> new
  std::unordered_set<std::string> concerned_;           ///< old paths of what goes or is replaced
  std::unordered_set<std::string> unclean_;
  std::unordered_set<std::string> emptied_;
  std::unordered_set<std::size_t> at_once_;
  std::unordered_map<std::size_t, std::size_t> parked_;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> groups_;
  std::set<std::string> going_;  ///< old paths of directories that go after something was taken out of them
  std::map<std::string, bool> parents_;  ///< -> nothing but exchanges
};

}  // namespace

namespace {

/// What stood for a masked file may have been moved over another: that one may not have its place taken, nor
/// the file be removed without it.
Result<void> check_mask_is_gone(const Change& removed, std::span<const Change> changes) {
  for (const Change& change : changes) {
    if (change.masked && change.after && change.before && change.from.empty() &&
        change.kind != ChangeKind::kIdentical)
      return fail(
          removed.path + " is a masked file, and what stands for it may be what is " + change.path + " now",
          ExitCode::kDataError, "leave out both: --except " + removed.path);
  }
  return {};
}

}  // namespace

Result<Plan> make_plan(std::span<const Change> changes, std::span<const PlanLayer> layers,
                       const Selection& selection, const StandsAt& stands_at) {
  Plan plan;
  plan.origins.resize(changes.size());
  plan.taken.resize(changes.size());
  std::set<std::uint32_t> known;
  for (const PlanLayer& layer : layers) known.insert(layer.layer);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    if (!known.contains(change.layer))
      return fail(change.path + " lies in a layer that the run does not have", ExitCode::kDataError,
                  "the bundle is damaged; rehearse again");
    plan.taken[i] = selection.takes(change.path);
    if (effects::is_others_time(change)) {
      plan.taken[i] = false;
      continue;
    }
    if (change.masked && change.kind == ChangeKind::kIdentical) {
      plan.taken[i] = false;
      plan.left_out.push_back({change.path, "a masked file, only touched"});
      continue;
    }
    if (plan.taken[i] && !change.from.empty() && !selection.takes(change.from))
      return fail(change.path + " was renamed from " + change.from + ", which is left out", ExitCode::kUsage,
                  "select both or neither");
    if (!plan.taken[i] && !change.from.empty() && selection.takes(change.from))
      return fail(change.from + " was renamed to " + change.path + ", which is left out", ExitCode::kUsage,
                  "select both or neither");
    if (!plan.taken[i]) {
      plan.left_out.push_back({change.path, "not selected"});
      continue;
    }
    if (change.masked && change.after) {
      return fail(change.path + " is a masked file: what the action wrote there rests on a placeholder",
                  ExitCode::kDataError, "leave it out: --except " + change.path);
    }
    if (change.masked && !change.after) RH_CHECK(check_mask_is_gone(change, changes));
    if (!change.after) continue;
    if (change.kind == ChangeKind::kMetadata && has(change, "blocks"))
      plan.left_out.push_back({change.path, "what is allocated to it stays as it is on the host"});
    for (const auto& [name, value] : change.after->xattrs) {
      if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay."))
        return fail(change.path + " carries the attribute " + name +
                        ", to which overlay filesystems give a meaning of their own",
                    ExitCode::kDataError, "leave it out: --except " + change.path);
    }
  }
  for (const PlanLayer& layer : layers) RH_CHECK(LayerPlanner(changes, layer, plan, stands_at).make());
  return plan;
}

}  // namespace rehearse::promote
