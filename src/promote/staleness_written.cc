// The write set.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/share_out.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "promote/differences.h"
#include "promote/staleness.h"
#include "promote/staleness_facts.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::ChangeKind;
using effects::FileType;

/// Whether the kind of object can have been told apart from another with the same number.
bool same_generation(int dir, const std::string& name, const struct stat& st,
                     const std::optional<std::uint64_t>& recorded) {
  if (!recorded || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) return true;
  const UniqueFd file(
      ::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC));
  if (!file.valid()) return true;
  const auto now = generation_of(file.get());
  return !now || *now == *recorded;
}

bool same_settings(const Attributes& a, const Attributes& b) {
  return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid &&
         settings_of(a).xattrs == settings_of(b).xattrs && (a.flags & kKeptFlags) == (b.flags & kKeptFlags);
}

/// Compares what records wrote over with the host.
class WrittenCheck {
 public:
  WrittenCheck(std::span<const Change> changes, const Plan& plan, const StalenessRules& rules,
               std::vector<std::optional<Facts>>& facts, Staleness& result)
      : changes_(changes), plan_(plan), rules_(rules), facts_(facts), result_(result) {}

  Result<void> check(std::uint32_t layer, Volume& volume) {
    layer_ = layer;
    index();
    std::vector<std::size_t> mine;
    std::unordered_set<std::string> known;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i].layer != layer) continue;
      if (changes_[i].before) known.insert(plan_.origins[i]);
      if (plan_.taken[i]) mine.push_back(i);
    }
    const auto unmoved = look_ahead(mine, volume);
    for (std::size_t m = 0; m < mine.size(); ++m) {
      const std::size_t i = mine[m];
      const Change& change = changes_[i];
      if (change.before) {
        if (unmoved[m])
          facts_[i] = unmoved[m];
        else
          RH_CHECK(compare(i, volume));
        const bool emptied = change.kind == ChangeKind::kDeleted || change.kind == ChangeKind::kType;
        if (emptied && facts_[i]) RH_CHECK(check_entries(i, volume, known));
        if (change.kind == ChangeKind::kRenamed) RH_CHECK(check_absent(i, volume));
      } else {
        RH_CHECK(check_absent(i, volume));
      }
    }
    return {};
  }

 private:
  Moved moved(std::size_t i, std::string then, std::string now, std::string owner) const {
    const Change& change = changes_[i];
    if (!change.package.empty()) owner = "package " + change.package;
    return {change.from.empty() ? change.path : change.from, "written", std::move(then), std::move(now),
            std::move(owner)};
  }

  std::string then(std::size_t i) const {
    const Change& change = changes_[i];
    if (!change.before) return "nothing";
    const mode_t bits = change.kind == ChangeKind::kType ? 0 : type_bits(change.type);
    const char* type = bits == 0 ? "object of another type" : type_word(bits);
    return describe(type, change.before->ino, change.before->size, change.before->ctime_ns,
                    change.before->sha256);
  }

  /// What is at `path`; a parent that is gone or leads elsewhere is a moved fact, not an error.
  std::optional<struct stat> find(std::size_t i, Volume& volume, const std::string& path,
                                  bool& parent_moved) {
    auto found = volume.find({Area::kHost, path});
    parent_moved = !found;
    if (found) return *found;
    note(rules_, result_,
         moved(i, then(i), std::string("its directory leads elsewhere: ") + why_nowhere(found.error().err),
               ""));
    return std::nullopt;
  }

  Result<void> check_absent(std::size_t i, Volume& volume) {
    const Change& change = changes_[i];
    // Below a new or moved directory there is nothing to look at, and nobody to be in the way.
    const std::string path = relative(i);
    bool parent_moved = false;
    if (!stands_in_host_directory(path)) return {};
    const std::string now = plan_origin(path);
    const auto st = find(i, volume, now, parent_moved);
    if (!st || taken_away(change.layer, now)) return {};
    Moved fact = moved(i, "nothing", describe(*st), owner_of(*st));
    fact.path = change.path;
    if (change.kind == ChangeKind::kRenamed) {
      fact.acceptable = false;
      result_.moved.push_back(std::move(fact));
      return {};
    }
    note(rules_, result_, std::move(fact));
    facts_[i] = facts_of(*st);
    return {};
  }

  std::string relative(std::size_t i) const {
    const std::string& mountpoint = mountpoint_of(changes_[i].layer);
    return changes_[i].path.substr(
        mountpoint == "/" ? 1 : std::min(mountpoint.size() + 1, changes_[i].path.size()));
  }

  const std::string& mountpoint_of(std::uint32_t layer) const {
    for (const LayerPlan& plan : plan_.layers) {
      if (plan.layer == layer) return plan.mountpoint;
    }
    static const std::string kRoot = "/";
    return kRoot;
  }

  void index() {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const Change& change = changes_[i];
      if (!plan_.taken[i]) continue;
      const bool new_directory = change.after && change.type == FileType::kDir &&
                                 (change.kind == ChangeKind::kCreated || change.kind == ChangeKind::kType);
      if (new_directory) new_directories_.insert(key(change.layer, relative(i)));
      if (change.kind == ChangeKind::kRenamed && change.type == FileType::kDir)
        renamed_.emplace(key(change.layer, relative(i)), plan_.origins[i]);
      if (change.kind == ChangeKind::kRenamed || change.kind == ChangeKind::kDeleted)
        taken_away_.insert(key(change.layer, plan_.origins[i]));
    }
  }
  static std::string key(std::uint32_t layer, std::string_view path) {
    return std::to_string(layer) + ':' + std::string(path);
  }
  bool stands_in_host_directory(const std::string& path) const {
    return !new_directories_.contains(key(layer_, parent_of(path)));
  }
  /// Where something that will be at `path` would be on the host as it is.
  std::string plan_origin(const std::string& path) const {
    for (std::string_view at = parent_of(path); !at.empty(); at = parent_of(at)) {
      const auto found = renamed_.find(key(layer_, at));
      if (found != renamed_.end()) return found->second + path.substr(at.size());
    }
    return path;
  }
  bool taken_away(std::uint32_t layer, const std::string& origin) const {
    return taken_away_.contains(key(layer, origin));
  }

  /// Most are as they were, for which a look is enough: by several threads. What of the others became is
  /// found by `compare`.
  std::vector<std::optional<Facts>> look_ahead(std::span<const std::size_t> mine,
                                               const Volume& volume) const {
    std::vector<std::optional<Facts>> unmoved(mine.size());
    share_out(mine.size(), [&] {
      return [&, parents = ParentCache()](std::size_t m) mutable {
        const std::string& path = plan_.origins[mine[m]];
        if (!changes_[mine[m]].before || path.empty()) return;
        const auto dir = parents.open(volume.root(), parent_of(path));
        struct stat st = {};
        const std::string name(leaf_of(path));
        if (!dir || ::fstatat(*dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return;
        if (is_unmoved(changes_[mine[m]], volume, *dir, name, st)) unmoved[m] = facts_of(st);
      };
    });
    return unmoved;
  }

  /// A layer that the kernel cannot map was shown as a copy: then only content and attributes are known.
  bool has_known_object(const Attributes& before, const Volume& volume, const struct stat& st) const {
    return before.dev == volume.device() ||
           (rules_.other_boot && st.st_ino == before.ino && to_ns(st.st_ctim) == before.ctime_ns);
  }
  static bool has_another_type(const Change& change, const struct stat& st) {
    return change.kind != ChangeKind::kType && (st.st_mode & S_IFMT) != type_bits(change.type);
  }
  /// `name` in `dir`, of which `st` is the lstat, is what the run has seen, and nobody has touched it since.
  bool is_unmoved(const Change& change, const Volume& volume, int dir, const std::string& name,
                  const struct stat& st) const {
    const Attributes& before = *change.before;
    return !change.base_moved && !has_another_type(change, st) && has_known_object(before, volume, st) &&
           st.st_ino == before.ino && to_ns(st.st_ctim) == before.ctime_ns &&
           same_generation(dir, name, st, before.generation);
  }

  Result<void> compare(std::size_t i, Volume& volume) {
    const Change& change = changes_[i];
    const Attributes& before = *change.before;
    const std::string& path = plan_.origins[i];
    bool parent_moved = false;
    const auto st = find(i, volume, path, parent_moved);
    if (parent_moved) return {};
    if (!st) {
      note(rules_, result_, moved(i, then(i), "nothing", ""));
      return {};
    }
    facts_[i] = facts_of(*st);
    if (change.base_moved) {
      note(rules_, result_, moved(i, "it changed while the rehearsal ran", describe(*st), owner_of(*st)));
      return {};
    }
    if (has_another_type(change, *st)) {
      note(rules_, result_, moved(i, then(i), describe(*st), owner_of(*st)));
      return {};
    }
    const bool known = has_known_object(before, volume, *st);
    RH_TRY(const int dir, volume.parent({Area::kHost, path}));
    const std::string name = path.empty() ? "." : std::string(leaf_of(path));
    const bool same_object = known && st->st_ino == before.ino;
    if (is_unmoved(change, volume, dir, name, *st)) return {};
    std::optional<struct stat> opened = *st;
    auto attributes = effects::read_attributes(dir, name.c_str(), opened, effects::content_as(before));
    if (!attributes) {
      const int err = attributes.error().err;
      if (err != ENOENT && err != ENOTDIR && err != ELOOP && err != ESTALE)
        return with_context(attributes.error(), change.path);
      note(rules_, result_, moved(i, then(i), "it is moved while it is looked at", ""));
      return {};
    }
    if (is_as_before(change, before, *attributes, *st, same_object || !known)) return {};
    std::string now = describe(*st, attributes->sha256);
    // Of another object more differs than helps.
    const bool links = before.nlink != attributes->nlink && !S_ISDIR(st->st_mode);
    std::string what = same_object ? differences(before, *attributes, true) : std::string();
    if (same_object && links)
      what += fmt::format("{}names {} -> {}", what.empty() ? "" : ", ", before.nlink, attributes->nlink);
    if (!what.empty()) now += "; " + what;
    note(rules_, result_, moved(i, then(i), std::move(now), owner_of(*st)));
    return {};
  }

  /// Another change time, yet nothing that matters differs.
  static bool is_as_before(const Change& change, const Attributes& before, const Attributes& now,
                           const struct stat& st, bool same_object) {
    if (!same_settings(before, now)) return false;
    if (S_ISDIR(st.st_mode)) {
      // Entries of a directory that stays, or that goes with all its entries recorded, are their own facts.
      // One that moves takes along what is in it, whoever put it there: its own time tells.
      return same_object && (change.kind != ChangeKind::kRenamed || before.mtime_ns == now.mtime_ns);
    }
    if (before.nlink != now.nlink || before.target != now.target || before.rdev != now.rdev) return false;
    if (!S_ISREG(st.st_mode)) return before.mtime_ns == now.mtime_ns;
    return before.size == now.size && before.sha256 && before.sha256 == now.sha256;
  }

  /// A directory that goes may hold nothing that the rehearsal has not seen.
  Result<void> check_entries(std::size_t i, Volume& volume, const std::unordered_set<std::string>& known) {
    const Change& change = changes_[i];
    const std::string& path = plan_.origins[i];
    const std::string shown = volume.shown({Area::kHost, path});
    RH_TRY(const auto st, unless_moved(volume.find({Area::kHost, path}), shown));
    if (!st || !S_ISDIR(st->st_mode)) return {};
    RH_TRY(const UniqueFd opened,
           unless_moved(open_below(volume.root(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), shown));
    RH_TRY(const auto names, effects::Listing::read(opened.get()));
    for (const effects::Listed& entry : names) {
      const std::string full = path + '/' + std::string(entry.name);
      if (known.contains(full)) continue;
      Moved fact = moved(i, "nothing", "an entry of a directory that is to go", owner_of(*st));
      fact.path = change.path + '/' + std::string(entry.name);
      fact.acceptable = false;
      if (result_.moved.size() < kMostMoved) result_.moved.push_back(std::move(fact));
    }
    return {};
  }

  std::span<const Change> changes_;
  const Plan& plan_;
  const StalenessRules& rules_;
  std::vector<std::optional<Facts>>& facts_;
  Staleness& result_;
  std::uint32_t layer_ = 0;
  std::unordered_set<std::string> new_directories_;
  std::unordered_set<std::string> taken_away_;
  std::unordered_map<std::string, std::string> renamed_;
};

}  // namespace

Result<void> check_written(std::span<const Change> changes, const Plan& plan, std::span<Volume> volumes,
                           const StalenessRules& rules, std::vector<std::optional<Facts>>& facts,
                           Staleness& result) {
  facts.assign(changes.size(), std::nullopt);
  for (std::size_t v = 0; v < plan.layers.size(); ++v) {
    WrittenCheck check(changes, plan, rules, facts, result);
    RH_CHECK(check.check(plan.layers[v].layer, volumes[v]));
  }
  return {};
}

}  // namespace rehearse::promote
