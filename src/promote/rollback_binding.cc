#include "promote/rollback_binding.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "promote/changed_since.h"
#include "promote/moved_places.h"
#include "promote/object_writer.h"
#include "promote/selection.h"
#include "promote/stage.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::FileType;

/// Filesystems stamp with the last timer tick's time: a change may seem so much older than it is (CONFIG_HZ
/// of at least 100).
constexpr std::int64_t kTick = 10'000'000;

class Binding {
 public:
  Binding(const RollbackBinding& order, Staleness& result) : order_(order), result_(result) {}

  /// Fills in what is expected of each object and finds what has changed since.
  Result<void> bind() {
    std::set<std::string> from_store;  // store places that get their object by an earlier one
    for (Operation& operation : order_.operations) {
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
      if (!is_dropped(operation)) take(operation);
    }
    std::vector<Operation> bound;
    for (std::size_t i = 0; i < order_.operations.size(); ++i) {
      if (const auto room = room_.find(i); room != room_.end()) bound.push_back(std::move(room->second));
      if (!dropped_.contains(i)) bound.push_back(std::move(order_.operations[i]));
    }
    order_.operations = std::move(bound);
    return {};
  }

 private:
  void take(const Operation& operation) {
    if (const auto room = room_.find(number_of(operation)); room != room_.end()) moved_.take(room->second);
    if (operation.kind == OperationKind::kMove) vacated_.insert(key_before(operation, operation.from));
    moved_.take(operation);
  }

  /// What is at `place` once the operations so far are done, by where it is before them.
  [[nodiscard]] std::string key_before(const Operation& operation, const Place& place) const {
    return place_key(operation, moved_.origin(operation.volume, place));
  }

  Volume& volume(const Operation& operation) { return *order_.volumes[operation.volume]; }

  /// Nothing where nothing is, also if the way there is gone.
  Result<std::optional<struct stat>> look(const Operation& operation, const Place& place) {
    auto found = volume(operation).find(place);
    if (found) return *found;
    const int err = found.error().err;
    if (leads_nowhere(err)) return std::optional<struct stat>();
    return tl::make_unexpected(std::move(found).error());
  }

  Result<std::optional<Settings>> settings_now(const Operation& operation, const Place& place) {
    RH_TRY(const auto st, look(operation, place));
    if (!st) return std::optional<Settings>();
    if (place.path.empty()) {
      RH_TRY(Settings settings, read_settings(volume(operation).root(), "", operation.type));
      return std::optional(std::move(settings));
    }
    const std::string shown = volume(operation).shown(place);
    RH_TRY(const int dir, unless_moved(volume(operation).parent(place), shown));
    RH_TRY(Settings settings,
           unless_moved(read_settings(dir, std::string(leaf_of(place.path)), operation.type), shown));
    return std::optional(std::move(settings));
  }

  /// True: the operator named it, and it is to be taken back all the same.
  bool moved(const std::string& path, const char* use, std::string then, std::string now) {
    for (const std::string& accepted : order_.accept) {
      if (!is_below(path, accepted)) continue;
      result_.accepted.push_back(path);
      return true;
    }
    result_.moved.push_back({path, use, std::move(then), std::move(now), ""});
    return false;
  }

  static std::string describe(const struct stat& st) {
    return fmt::format("another object: inode {}, {} bytes", st.st_ino, st.st_size);
  }

  /// Nothing is done about it, now or later.
  void drop(const Operation& operation, const std::string& shown, const std::string& why) {
    dropped_.insert(number_of(operation));
    order_.given_up.push_back(operation);
    order_.left.push_back(shown + ": " + why);
  }
  static constexpr const char* kGone = "it is gone, there is nothing to take back";

  std::size_t number_of(const Operation& operation) const {
    return static_cast<std::size_t>(&operation - order_.operations.data());
  }

  /// Somebody's object, or edit, goes to where the promotion's own would have gone.
  void keep_theirs(const Operation& operation, const Place& kept, const std::string& shown) {
    keep(operation, kept, shown + ": what is there since is kept as ");
  }
  void keep(const Operation& operation, const Place& kept, const std::string& what) {
    order_.kept.push_back({operation.volume, kept.path, what + volume(operation).shown(kept)});
  }

  /// There is a directory to put something in, or an earlier operation brings it.
  Result<bool> has_directory(const Operation& operation, const Place& place) {
    const Place above{place.area, std::string(parent_of(place.path))};
    RH_TRY(const auto st, look(operation, above));
    if (st && S_ISDIR(st->st_mode)) return true;
    return std::ranges::any_of(order_.operations, [&](const Operation& other) {
      return !is_dropped(other) && other.volume == operation.volume && other.to.area == place.area &&
             (other.kind == OperationKind::kMove || other.kind == OperationKind::kExchange) &&
             other.to.path != place.path && is_below(above.path, other.to.path);
    });
  }

  bool is_dropped(const Operation& operation) const { return dropped_.contains(number_of(operation)); }

  /// An operation that is not given up takes away what is at that place.
  bool is_moved_from(const Operation& operation, const Place& place) const {
    return std::ranges::any_of(order_.operations, [&](const Operation& other) {
      return other.kind == OperationKind::kMove && other.volume == operation.volume && other.from == place &&
             !is_dropped(other);
    });
  }

  Result<void> bind_move(Operation& operation, std::set<std::string>& from_store) {
    return operation.from.area == Area::kHost ? bind_removal(operation, from_store)
                                              : bind_return(operation, from_store);
  }

  /// A new object goes, or a renamed one goes back to its name.
  Result<void> bind_removal(Operation& operation, std::set<std::string>& from_store) {
    const std::string shown = volume(operation).shown(operation.from);
    RH_TRY(const auto st, look(operation, operation.from));
    const bool ours = st && st->st_ino == operation.object.ino;
    const bool to_store = operation.to.area == Area::kStore;
    if (!ours) {
      // Somebody else's object cannot stand for one that was renamed.
      const bool removed = st && to_store && !renamed_here(operation);
      if (!moved(shown, "promoted", "the promoted object", st ? describe(*st) : "nothing")) {
        if (to_store) undecided_.insert(place_key(operation, operation.to));
        return {};
      }
      if (!removed) {
        if (to_store) lost_.insert(place_key(operation, operation.to));
        drop(operation, shown, st ? "what was renamed to it is not there any more" : kGone);
        return {};
      }
      operation.type = effects::file_type(*st);
      keep_theirs(operation, operation.to, shown);
    }
    if (ours) {
      RH_TRY(const bool has_home, has_way_home(operation));
      if (!has_home) {
        bind_staying(operation);
        return {};
      }
    }
    operation.object = facts_of(*st);
    operation.entries = true;  // what it holds is looked at below; earlier operations may take from it
    if (!to_store) return make_room(operation);
    from_store.insert(place_key(operation, operation.to));
    if (!ours || renamed_here(operation)) return {};
    return check_unchanged(operation, operation.from, *st);
  }

  /// Where a renamed object goes back to in the end; nothing: into the store.
  const Operation* way_home(const Operation& operation) const {
    if (operation.to.area == Area::kHost) return &operation;
    const auto other = std::ranges::find_if(order_.operations, [&](const Operation& one) {
      return one.kind == OperationKind::kMove && one.volume == operation.volume && one.from == operation.to;
    });
    return other == order_.operations.end() ? nullptr : &*other;
  }
  Result<bool> has_way_home(const Operation& operation) {
    const Operation* last = way_home(operation);
    return last == nullptr ? Result<bool>(true) : has_directory(*last, last->to);
  }

  /// The directory that a renamed object was in is gone: it keeps the name that it has.
  void bind_staying(const Operation& operation) {
    const Operation* last = way_home(operation);
    const std::string home = volume(operation).shown(last->to);
    if (!moved(home, "promoted", "in its directory", "its directory is gone")) {
      if (last != &operation) undecided_.insert(place_key(operation, operation.to));
      return;
    }
    staying_.insert(place_key(operation, operation.from));
    drop(operation, volume(operation).shown(operation.from),
         "the directory of its old name " + home + " is gone; it stays where it is");
    if (last == &operation) return;
    dropped_.insert(number_of(*last));
    order_.given_up.push_back(*last);
  }

  /// Out of the store: nothing may be in its way, and nobody has written to it.
  Result<void> bind_return(Operation& operation, const std::set<std::string>& from_store) {
    const std::string shown = volume(operation).shown(operation.to);
    if (undecided_.contains(place_key(operation, operation.from)) || is_dropped(operation)) return {};
    if (lost_.contains(place_key(operation, operation.from))) {
      drop(operation, shown, kGone);
      return {};
    }
    const bool kept = !from_store.contains(place_key(operation, operation.from));
    if (kept) {
      RH_TRY(const auto st, look(operation, operation.from));
      if (!st || st->st_ino != operation.object.ino)
        return fail(shown + ": what was kept is gone", ExitCode::kDataError, "it cannot be taken back");
      RH_CHECK(check_kept(operation, operation.object, *st, shown));
      operation.object = facts_of(*st);
    }
    RH_TRY(const bool has_place, has_directory(operation, operation.to));
    if (!has_place) return bind_homeless(operation, shown);
    if (!kept) return make_room(operation);
    RH_TRY(const auto newcomer, in_the_way(operation));
    if (!newcomer) return {};
    operation.kind = OperationKind::kExchange;
    if (S_ISDIR(newcomer->st_mode)) operation.type = FileType::kDir;
    displace(operation, *newcomer);
    keep_theirs(operation, operation.from, shown);
    return {};
  }

  /// What somebody has made where the object goes, and the operator has named.
  Result<std::optional<struct stat>> in_the_way(const Operation& operation) {
    // Earlier ones may have brought the directory.
    const Place now = moved_.origin(operation.volume, operation.to);
    RH_TRY(auto newcomer, look(operation, now));
    const bool goes = vacated_.contains(place_key(operation, now)) || is_moved_from(operation, operation.to);
    const bool accepted =
        newcomer && !goes && moved(volume(operation).shown(now), "removed", "nothing", describe(*newcomer));
    if (!accepted) newcomer.reset();
    return newcomer;
  }

  /// It cannot change places with a renamed object: that one's present name is no place for it.
  Result<void> make_room(const Operation& operation) {
    RH_TRY(const auto newcomer, in_the_way(operation));
    if (!newcomer) return {};
    Operation aside;
    aside.volume = operation.volume;
    aside.type = effects::file_type(*newcomer);
    aside.from = operation.to;
    aside.to = {Area::kStore, fmt::format("{}/{}o{}", kKept, order_.tag, number_of(operation))};
    aside.object = facts_of(*newcomer);
    aside.entries = aside.type == FileType::kDir;
    if (newcomer->st_nlink > 1 && !aside.entries) aside.object.ctime_ns = 0;
    keep_theirs(aside, aside.to, volume(operation).shown(operation.to));
    room_.emplace(number_of(operation), std::move(aside));
    return {};
  }

  /// The directory that the kept object was in is gone.
  Result<void> bind_homeless(Operation& operation, const std::string& shown) {
    const std::string became = became_of_directory(operation);
    if (!moved(shown, "promoted", "in its directory", became)) return {};
    keep(operation, operation.from, shown + ": " + became + "; the old object is kept as ");
    drop(operation, shown, became);
    return {};
  }

  std::string became_of_directory(const Operation& operation) {
    const Place above{Area::kHost, std::string(parent_of(operation.to.path))};
    const auto st = volume(operation).find(above);
    if (st && *st)
      return S_ISLNK((*st)->st_mode) ? "its directory is a symlink now" : "its directory is none any more";
    const bool other =
        !st && (st.error().err == ELOOP || st.error().err == ENOTDIR || st.error().err == EXDEV);
    return other ? "another object stands in the way to its directory" : "its directory is gone";
  }

  /// What is exchanged for a kept object is `st`.
  static void displace(Operation& operation, const struct stat& st) {
    operation.displaced = facts_of(st);
    operation.entries = S_ISDIR(st.st_mode);
    if (st.st_nlink > 1 && !S_ISDIR(st.st_mode)) operation.displaced.ctime_ns = 0;
  }

  /// A renamed object of the host, parked on its way: what is in it goes with it.
  bool renamed_here(const Operation& operation) const { return is_moved_from(operation, operation.to); }

  /// Of a kept object, which lies at the operation's place in the store.
  Result<void> check_kept(const Operation& operation, const Facts& then, const struct stat& st,
                          const std::string& shown) {
    if (S_ISDIR(st.st_mode)) return check_kept_tree(operation, shown);
    // An object with several names may have got new attributes by the promotion itself.
    if (operation.entries || st.st_nlink > 1) return {};
    if (to_ns(st.st_mtim) == then.mtime_ns && static_cast<std::uint64_t>(st.st_size) == then.size) return {};
    (void)moved(shown, "promoted", "as it was when it was replaced",
                "its old object was written to since, by somebody who had it open");
    return {};
  }
  Result<void> check_kept_tree(const Operation& operation, const std::string& shown) {
    RH_TRY(const auto paths,
           written_since(volume(operation).store(), operation.from.path, order_.settled_ns - kTick));
    for (const std::string& path : paths)
      (void)moved(fmt::format("{}/{}", shown, path), "promoted",
                  "as it was when its directory was taken away",
                  "written to since, by somebody who had it or its directory open");
    return {};
  }

  Result<void> bind_exchange(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.to);
    RH_TRY(const auto kept, look(operation, operation.from));
    if (!kept || kept->st_ino != operation.object.ino)
      return fail(volume(operation).shown(operation.from) + ": what was kept is gone", ExitCode::kDataError,
                  "it cannot be taken back");
    RH_CHECK(check_kept(operation, operation.object, *kept, shown));
    operation.object = facts_of(*kept);
    RH_TRY(const auto st, look(operation, operation.to));
    if (!st) {
      RH_TRY(const bool has_place, has_directory(operation, operation.to));
      if (!has_place) return bind_homeless(operation, shown);
      // With nothing there, the old object only has to come back.
      if (moved(shown, "promoted", "the promoted object", "nothing")) operation.kind = OperationKind::kMove;
      return {};
    }
    const bool ours = st->st_ino == operation.displaced.ino;
    displace(operation, *st);
    if (!ours) {
      if (!moved(shown, "promoted", "the promoted object", describe(*st))) return {};
      if (S_ISDIR(st->st_mode)) operation.type = FileType::kDir;
      keep_theirs(operation, operation.from, shown);
      return {};
    }
    return check_unchanged(operation, operation.to, *st);
  }

  /// There is nothing to set any more: it is over, too.
  void give_up_time(const Operation& operation) {
    dropped_.insert(number_of(operation));
    order_.given_up.push_back(operation);
  }

  /// Of a directory that gets its time back at the end, to which the promotion itself set none; it may come
  /// back only by an earlier operation.
  Result<void> bind_old_time(const Operation& operation) {
    RH_TRY(const auto st, look(operation, moved_.origin(operation.volume, operation.to)));
    if (!st || st->st_ino != operation.object.ino) give_up_time(operation);
    return {};
  }

  Result<void> bind_attributes(Operation& operation) {
    operation.entries = true;
    if (!operation.before) return bind_old_time(operation);
    RH_TRY(const auto st, look(operation, operation.from));
    const bool ours = st && st->st_ino == operation.object.ino;
    if (!ours && operation.time_only) {
      give_up_time(operation);
      return {};
    }
    const std::string shown = volume(operation).shown(operation.from);
    if (!ours) {
      if (moved(shown, "promoted", "the promoted attributes", st ? describe(*st) : "nothing"))
        drop(operation, shown, st ? "it is another object now, whose attributes stay as they are" : kGone);
      return {};
    }
    operation.object = facts_of(*st);
    if (staying_.contains(place_key(operation, operation.from))) {
      order_.given_up.push_back(operation);  // by its own places it is known as over
      operation.to = operation.from;
    }
    if (operation.time_only) return {};
    RH_TRY(const auto now, settings_now(operation, operation.from));
    if (!now) return {};
    Settings promoted = *std::exchange(operation.before, now);
    if (operation.type == FileType::kDir) promoted.mtime_ns = now->mtime_ns;
    if (is_settled(*st)) return {};
    if (*now != promoted) {
      (void)moved(shown, "promoted", "the promoted attributes", "other attributes");
      return {};
    }
    RH_TRY(const bool same, has_content(operation, *st));
    if (!same) (void)moved(shown, "promoted", "the content that it had", "edited since");
    return {};
  }

  /// Who was given a file may have written to it and put its time back: it must not get rights back that its
  /// content does not deserve any more.
  Result<bool> has_content(const Operation& operation, const struct stat& st) {
    if (!S_ISREG(st.st_mode) || to_ns(st.st_ctim) <= order_.settled_ns) return true;
    const Volume& on = volume(operation);
    const std::string shown = on.shown(operation.from);
    const auto record = order_.after.find(shown);
    if (record == order_.after.end() || !record->second.second.sha256) return false;
    RH_TRY(const int dir, unless_moved(volume(operation).parent(operation.from), shown));
    std::optional<struct stat> opened = st;
    RH_TRY(const Attributes now,
           unless_moved(effects::read_attributes(dir, std::string(leaf_of(operation.from.path)).c_str(),
                                                 opened, effects::content_as(record->second.second)),
                        shown));
    return now.sha256 == record->second.second.sha256;
  }

  Result<void> bind_rewrite(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.to);
    RH_TRY(const auto st, look(operation, operation.to));
    if (!st || st->st_ino != operation.object.ino) {
      if (!moved(shown, "promoted", "the promoted file", st ? describe(*st) : "nothing")) return {};
      drop(operation, shown, st ? "it is another file now, which stays as it is" : kGone);
      keep(operation, operation.from, shown + ": its old bytes are kept as ");
      return {};
    }
    operation.object = facts_of(*st);
    const std::size_t accepted = result_.accepted.size();
    RH_CHECK(check_unchanged(operation, operation.to, *st));
    // The bytes that the promotion wrote are not those that an undo would have to bring back.
    if (result_.accepted.size() != accepted) operation.saved = {};
    return {};
  }

  /// Nobody has changed the object since the promotion was over.
  bool is_settled(const struct stat& st) const { return to_ns(st.st_ctim) < order_.settled_ns - kTick; }

  /// The object is as the manifest has it; a directory with all that is in it.
  Result<void> check_unchanged(const Operation& operation, const Place& place, const struct stat& st) {
    Volume& on = volume(operation);
    const std::string shown = on.shown(place);
    const auto record = order_.after.find(shown);
    if (record == order_.after.end()) return {};
    const auto& [type, after] = record->second;
    const bool is_directory = S_ISDIR(st.st_mode);
    const bool written = !is_directory && to_ns(st.st_mtim) != after.mtime_ns;
    if (written || !is_settled(st)) {
      // Of the promotion's last tick, that it has the promoted time proves its content.
      const bool read = written || to_ns(st.st_ctim) > order_.settled_ns;
      RH_TRY(const int dir, unless_moved(on.parent(place), shown));
      std::optional<struct stat> opened = st;
      RH_TRY(
          const Attributes now,
          unless_moved(effects::read_attributes(dir, std::string(leaf_of(place.path)).c_str(), opened,
                                                read ? effects::content_as(after) : effects::Content::kSkip),
                       shown));
      Settings wanted = settings_of(after);
      Settings found = settings_of(now);
      if (is_directory) wanted.mtime_ns = found.mtime_ns = 0;
      const bool equal = wanted == found && now.target == after.target && now.rdev == after.rdev &&
                         (!read || type != FileType::kFile || now.sha256 == after.sha256);
      if (!equal && moved(shown, "promoted", "as it was promoted", "edited since"))
        keep_edit(operation, place);
    }
    if (!is_directory) return {};
    RH_TRY(const UniqueFd directory,
           unless_moved(open_below(on.root(), place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), shown));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    for (const effects::Listed& entry : names) {
      const Place below{Area::kHost, place.path + '/' + std::string(entry.name)};
      if (is_moved_from(operation, below)) continue;
      if (order_.after.contains(on.shown(below))) {
        RH_TRY(const auto child, unless_moved(on.find(below), on.shown(below)));
        if (child) RH_CHECK(check_unchanged(operation, below, *child));
      } else {
        if (moved(on.shown(below), "promoted", "nothing", "made since")) keep_edit(operation, below);
      }
    }
    return {};
  }

  /// Goes to the store with the object at the operation's place on the host, which it is or lies in. What is
  /// rewritten is named when its bytes are saved.
  void keep_edit(const Operation& operation, const Place& place) {
    if (operation.kind == OperationKind::kRewrite) return;
    const bool exchange = operation.kind == OperationKind::kExchange;
    const std::string& top = exchange ? operation.to.path : operation.from.path;
    const Place& store = exchange ? operation.from : operation.to;
    keep_theirs(operation, {store.area, store.path + place.path.substr(top.size())},
                volume(operation).shown(place));
  }

  const RollbackBinding& order_;
  Staleness& result_;
  MovedPlaces moved_;              ///< by the operations so far
  std::set<std::string> vacated_;  ///< places before all operations that those so far take something from
  std::set<std::size_t> dropped_;  ///< numbers of operations
  std::map<std::size_t, Operation> room_;  ///< what goes before the operation of that number
  std::set<std::string> lost_;             ///< store places that get no object because it is gone
  std::set<std::string> staying_;          ///< places of objects that keep their new names
  std::set<std::string> undecided_;        ///< the same, as long as nobody has accepted it
};

}  // namespace

Result<void> bind_rollback(const RollbackBinding& order, Staleness& result) {
  return Binding(order, result).bind();
}

}  // namespace rehearse::promote
