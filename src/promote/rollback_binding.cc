#include "promote/rollback_binding.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "promote/birth.h"
#include "promote/differences.h"
#include "promote/in_effect.h"
#include "promote/moved_places.h"
#include "promote/object_writer.h"
#include "promote/promoted_object.h"
#include "promote/selection.h"
#include "promote/stage.h"
#include "promote/staleness_facts.h"
#include "promote/taken_back.h"
#include "promote/written_since.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

class Binding {
 public:
  Binding(const RollbackBinding& order, Staleness& result) : order_(order), result_(result) {}

  /// Fills in what is expected of each object and finds what has changed since.
  Result<void> bind() {
    const std::vector<Operation> asked = order_.operations;
    // What stays where it is since there is no way back for it is known only when its turn comes; what goes
    // before that does so by its staying.
    std::size_t known = 0;
    do {
      known = homeless_.size();
      found_ = {};
      moved_ = MovedPlaces(MovedPlaces::Of::kAll);
      order_.operations = asked;
      index();
      RH_CHECK(bind_all());
    } while (homeless_.size() != known);
    deliver();
    return {};
  }

 private:
  Result<void> bind_all() {
    for (Operation& operation : order_.operations) {
      switch (operation.kind) {
        case OperationKind::kMove:
          RH_CHECK(operation.from.area == Area::kHost ? bind_removal(operation) : bind_return(operation));
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
    return {};
  }

  /// By the places that they take something from.
  void index() {
    takers_.clear();
    for (const Operation& operation : order_.operations) {
      if (operation.kind == OperationKind::kMove)
        takers_[place_key(operation, operation.from)].push_back(number_of(operation));
    }
  }

  void take(const Operation& operation) {
    if (const auto room = found_.room.find(number_of(operation)); room != found_.room.end())
      moved_.take(room->second);
    moved_.take(operation);
  }

  void deliver() {
    std::vector<Operation> bound;
    for (std::size_t i = 0; i < order_.operations.size(); ++i) {
      if (const auto room = found_.room.find(i); room != found_.room.end())
        bound.push_back(std::move(room->second));
      if (!found_.dropped.contains(i)) bound.push_back(std::move(order_.operations[i]));
    }
    order_.operations = std::move(bound);
    for (auto& [place, line] : found_.staying) found_.left.push_back(std::move(line));
    const auto add = [](auto& from, auto& to) {
      to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    };
    add(found_.left, order_.left);
    add(found_.given_up, order_.given_up);
    add(found_.kept, order_.kept);
    add(found_.moved, result_.moved);
    for (const std::string& path : found_.accepted) result_.accepted.push_back(path);
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
  /// `st`: of what is there.
  bool moved(const std::string& path, const char* use, std::string then, std::string now,
             const struct stat* st = nullptr) {
    for (const std::string& accepted : order_.accept) {
      if (!is_below(path, accepted)) continue;
      found_.accepted.insert(path);
      return true;
    }
    found_.moved.push_back({path, use, std::move(then), std::move(now), st == nullptr ? "" : owner_of(*st)});
    return false;
  }

  static std::string describe(const struct stat& st) { return "another object: " + promote::describe(st); }

  /// To compare by.
  static effects::Attributes attributes_of(const Settings& settings) {
    effects::Attributes attributes;
    attributes.mode = settings.mode;
    attributes.uid = settings.uid;
    attributes.gid = settings.gid;
    attributes.mtime_ns = settings.mtime_ns;
    attributes.flags = settings.flags;
    for (const auto& [name, value] : settings.xattrs) attributes.xattrs.emplace(name, value);
    return attributes;
  }

  /// Nothing is done about it, now or later.
  void drop(const Operation& operation, const std::string& shown, const std::string& why) {
    give_up(operation);
    found_.left.push_back(shown + ": " + why);
  }
  void give_up(const Operation& operation) {
    found_.dropped.insert(number_of(operation));
    found_.given_up.push_back(operation);
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
    found_.kept.push_back({operation.volume, kept.path, what + volume(operation).shown(kept)});
  }

  /// What stands where the operation takes its object from is that object, and none that was made after the
  /// promotion and has got its number.
  Result<bool> is_the_one(const Operation& operation, const std::optional<struct stat>& st) {
    if (!st || st->st_ino != operation.object.ino || effects::file_type(*st) != operation.type) return false;
    if (operation.from.path.empty()) return true;
    Volume& on = volume(operation);
    RH_TRY(const int dir, unless_moved(on.parent(operation.from), on.shown(operation.from)));
    return !is_born_since(dir, std::string(leaf_of(operation.from.path)), order_.settled_ns);
  }

  /// There is a directory to put something in, once the operations so far are done.
  Result<bool> has_directory(const Operation& operation, const Place& place) {
    const auto above = moved_.standing(operation.volume, {place.area, std::string(parent_of(place.path))});
    if (!above) return false;
    RH_TRY(const auto st, look(operation, *above));
    return st && S_ISDIR(st->st_mode);
  }

  bool is_dropped(const Operation& operation) const { return found_.dropped.contains(number_of(operation)); }

  /// An operation that is not given up takes away what is at that place.
  bool is_moved_from(const Operation& operation, const Place& place) const {
    const auto takers = takers_.find(place_key(operation, place));
    return takers != takers_.end() && std::ranges::any_of(takers->second, [&](std::size_t number) {
             return !found_.dropped.contains(number);
           });
  }

  /// A new object goes, or a renamed one goes back to its name.
  Result<void> bind_removal(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.from);
    RH_TRY(const auto st, look(operation, operation.from));
    RH_TRY(const bool ours, is_the_one(operation, st));
    const bool to_store = operation.to.area == Area::kStore;
    if (!ours) {
      // Somebody else's object cannot stand for one that was renamed.
      const bool removed = st && to_store && !renamed_here(operation);
      if (!moved(shown, "promoted", "the promoted object", st ? describe(*st) : "nothing",
                 st ? &*st : nullptr)) {
        if (to_store) found_.undecided.insert(place_key(operation, operation.to));
        return {};
      }
      if (!removed) {
        if (to_store) found_.lost.insert(place_key(operation, operation.to));
        drop(operation, shown, st ? "what was renamed to it is not there any more" : kGone);
        return {};
      }
      operation.type = effects::file_type(*st);
      keep_theirs(operation, operation.to, shown);
    }
    if (ours && to_store && homeless_.contains(number_of(operation))) {
      bind_staying(operation, *way_home(operation));
      return {};
    }
    if (!to_store) {
      RH_TRY(const bool has_home, has_directory(operation, operation.to));
      if (!has_home) {
        bind_staying(operation, operation);
        return {};
      }
    }
    operation.object = facts_of(*st);
    operation.entries = true;  // what it holds is looked at below; earlier operations may take from it
    if (!to_store) return make_room(operation);
    found_.parked.insert(place_key(operation, operation.to));
    if (!ours || renamed_here(operation)) return {};
    return check_unchanged(operation, operation.from, *st);
  }

  /// The operation by which what is parked goes on to its old name; none: it stays in the store.
  const Operation* way_home(const Operation& operation) const {
    const auto takers = takers_.find(place_key(operation, operation.to));
    return takers == takers_.end() ? nullptr : &order_.operations[takers->second.front()];
  }

  /// The directory that a renamed object was in is gone: it keeps the name that it has. `last`: the operation
  /// that would have brought it home.
  void bind_staying(const Operation& operation, const Operation& last) {
    const std::string home = volume(operation).shown(last.to);
    if (!moved(home, "promoted", "in its directory", "its directory is gone")) {
      if (&last != &operation) found_.undecided.insert(place_key(operation, operation.to));
      return;
    }
    give_up(operation);
    found_.staying.emplace(place_key(operation, operation.from), volume(operation).shown(operation.from) +
                                                                     ": the directory of its old name " +
                                                                     home + " is gone; it stays where it is");
    if (&last != &operation) give_up(last);
  }

  /// Out of the store: nothing may be in its way, and nobody has written to it.
  Result<void> bind_return(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.to);
    const std::string key = place_key(operation, operation.from);
    if (found_.undecided.contains(key) || is_dropped(operation)) return {};
    if (found_.lost.contains(key)) {
      drop(operation, shown, kGone);
      return {};
    }
    const bool kept = !found_.parked.contains(key);
    if (kept) {
      RH_TRY(const auto st, look(operation, operation.from));
      if (!st || st->st_ino != operation.object.ino)
        return fail(shown + ": what was kept is gone", ExitCode::kDataError, "it cannot be taken back");
      RH_CHECK(check_kept(operation, operation.object, *st, shown));
      operation.object = facts_of(*st);
    }
    RH_TRY(const bool has_place, has_directory(operation, operation.to));
    if (!has_place && kept) return bind_homeless(operation, shown);
    if (!has_place) {
      homeless_.insert(parked_by(operation));
      return {};
    }
    if (!kept) return make_room(operation);
    RH_TRY(const auto newcomer, in_the_way(operation));
    if (!newcomer) return {};
    operation.kind = OperationKind::kExchange;
    if (S_ISDIR(newcomer->st_mode)) operation.type = FileType::kDir;
    displace(operation, *newcomer);
    keep_newcomer(operation, operation.from);
    return {};
  }

  /// The number of the operation that took to the store what this one takes out of it.
  std::size_t parked_by(const Operation& operation) const {
    for (std::size_t i = number_of(operation); i-- > 0;) {
      const Operation& other = order_.operations[i];
      if (other.kind == OperationKind::kMove && other.volume == operation.volume &&
          other.to == operation.from)
        return i;
    }
    return number_of(operation);
  }

  /// What somebody has made where the object goes, and the operator has named.
  Result<std::optional<struct stat>> in_the_way(const Operation& operation) {
    const auto now = moved_.standing(operation.volume, operation.to);
    if (!now) return std::optional<struct stat>();
    RH_TRY(auto newcomer, look(operation, *now));
    if (newcomer &&
        !moved(volume(operation).shown(*now), "removed", "nothing", describe(*newcomer), &*newcomer))
      newcomer.reset();
    return newcomer;
  }

  /// It goes to a place in the store: somebody's, or what was renamed there and has no way back.
  void keep_newcomer(const Operation& operation, const Place& kept) {
    const std::string shown = volume(operation).shown(operation.to);
    if (found_.staying.erase(place_key(operation, operation.to)) == 0)
      return keep_theirs(operation, kept, shown);
    keep(operation, kept,
         shown + ": the directory of its old name is gone; what was renamed to it is kept as ");
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
    keep_newcomer(operation, aside.to);
    found_.room.emplace(number_of(operation), std::move(aside));
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
  Result<void> check_kept(Operation& operation, const Facts& then, const struct stat& st,
                          const std::string& shown) {
    if (S_ISDIR(st.st_mode)) return check_kept_tree(operation, shown);
    // An object with several names may have got new attributes by the promotion itself.
    if (operation.entries || st.st_nlink > 1) return {};
    if (to_ns(st.st_mtim) == then.mtime_ns && static_cast<std::uint64_t>(st.st_size) == then.size) return {};
    (void)moved(shown, "promoted", "as it was when it was replaced",
                "its old object was written to since, by somebody who had it open");
    operation.print.reset();
    return {};
  }
  Result<void> check_kept_tree(const Operation& operation, const std::string& shown) {
    RH_TRY(const auto paths,
           written_since(volume(operation).store(), operation.from.path, order_.settled_ns - kStampTick));
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
      if (!moved(shown, "promoted", "the promoted object", describe(*st), &*st)) return {};
      if (S_ISDIR(st->st_mode)) operation.type = FileType::kDir;
      keep_theirs(operation, operation.from, shown);
      return {};
    }
    return check_unchanged(operation, operation.to, *st);
  }

  Result<void> bind_attributes(Operation& operation) {
    operation.entries = true;
    if (!operation.before) return bind_old_time(operation);
    RH_TRY(const auto st, look(operation, operation.from));
    RH_TRY(const bool ours, is_the_one(operation, st));
    if (!ours && operation.time_only) {
      give_up(operation);  // there is nothing to set any more
      return {};
    }
    const std::string shown = volume(operation).shown(operation.from);
    if (!ours) {
      if (moved(shown, "promoted", "the promoted attributes", st ? describe(*st) : "nothing",
                st ? &*st : nullptr))
        drop(operation, shown, st ? "it is another object now, whose attributes stay as they are" : kGone);
      return {};
    }
    operation.object = facts_of(*st);
    if (!operation.after) return {};  // it goes itself
    if (!follow(operation)) return {};
    return operation.time_only ? bind_time(operation, *st, shown) : bind_settings(operation, *st, shown);
  }

  /// Where the object will be when all is done. False: in the store, where its attributes are nobody's
  /// concern.
  bool follow(Operation& operation) {
    const auto home = ends().standing(operation.volume, operation.from);
    if (home == operation.to) return true;
    if (!home || home->area == Area::kStore) {
      give_up(operation);
      return false;
    }
    found_.given_up.push_back(operation);  // by its own places it is known as over
    operation.to = *home;
    return true;
  }

  /// Tells where what stands somewhere now will be: attributes come after all moves, and these are bound.
  const MovedPlaces& ends() {
    if (found_.ends) return *found_.ends;
    found_.ends.emplace(MovedPlaces::Of::kAll);
    const auto take_back = [&](Operation move) {
      if (move.kind == OperationKind::kMove) std::swap(move.from, move.to);
      found_.ends->take(move);
    };
    for (std::size_t i = order_.operations.size(); i-- > 0;) {
      if (!found_.dropped.contains(i)) take_back(order_.operations[i]);
      if (const auto room = found_.room.find(i); room != found_.room.end()) take_back(room->second);
    }
    return *found_.ends;
  }

  /// Of a directory that gets its time back at the end, to which the promotion itself set none; it may come
  /// back only by an earlier operation.
  Result<void> bind_old_time(Operation& operation) {
    const auto origin = moved_.standing(operation.volume, operation.to);
    if (!origin) {
      give_up(operation);
      return {};
    }
    RH_TRY(const auto st, look(operation, *origin));
    if (!st || st->st_ino != operation.object.ino) {
      give_up(operation);
    } else if (*origin == operation.from) {
      found_.given_up.push_back(operation);  // it is over whatever time it has now
      operation.before.emplace().mtime_ns = to_ns(st->st_mtim);
    }
    return {};
  }

  Result<void> bind_time(Operation& operation, const struct stat& st, const std::string& shown) {
    const std::int64_t now = to_ns(st.st_mtim);
    const bool keeps = keeps_time(operation);
    const std::int64_t promoted = std::exchange(operation.before->mtime_ns, now);
    if (!keeps && keeps_time(operation))
      found_.given_up.push_back(operation);  // it does not show that it is over
    // Whoever works in a directory moves its time.
    if (operation.type == FileType::kDir || now == promoted || is_settled(operation, st)) return {};
    if (moved(shown, "promoted", "the promoted time", "another time: edited since", &st))
      drop(operation, shown, "its time is somebody's, and stays as it is");
    return {};
  }

  Result<void> bind_settings(Operation& operation, const struct stat& st, const std::string& shown) {
    RH_TRY(const auto now, settings_now(operation, operation.from));
    if (!now) return {};
    Settings promoted = *std::exchange(operation.before, now);
    // The time of a directory is moved by whoever works in it; that of a file goes back with its bytes.
    if (operation.type == FileType::kDir || found_.rewritten.contains(place_key(operation, operation.from)))
      promoted.mtime_ns = now->mtime_ns;
    if (is_settled(operation, st)) return {};
    if (*now != promoted) {
      const std::string what =
          "other attributes: " + differences(attributes_of(promoted), attributes_of(*now), true);
      if (moved(shown, "promoted", "the promoted attributes", what, &st))
        leave_theirs(operation, promoted, shown);
      return {};
    }
    RH_TRY(const bool same, has_promoted_content(operation, st, shown));
    if (!same) (void)moved(shown, "promoted", "the content that it had", "edited since", &st);
    return {};
  }

  /// Of what the manifest does not know nothing can be told.
  Result<bool> has_promoted_content(const Operation& operation, const struct stat& st,
                                    const std::string& shown) {
    if (!S_ISREG(st.st_mode) || to_ns(st.st_ctim) <= settled_ns(operation)) return true;
    const auto record = order_.after.find(shown);
    if (record == order_.after.end()) return false;
    return has_content({volume(operation), operation.from, shown, st, record->second.first,
                        record->second.second, settled_ns(operation)});
  }

  /// Those attributes go back that are still the promoted ones.
  void leave_theirs(Operation& operation, const Settings& promoted, const std::string& shown) {
    TakenBack taken = taken_back(*operation.before, promoted, *operation.after, {true, false});
    operation.after = std::move(taken.settings);
    if (!taken.theirs.empty())
      found_.left.push_back(fmt::format("{}: somebody has set its {}; that stays as it is", shown,
                                        fmt::join(taken.theirs, ", ")));
  }

  Result<void> bind_rewrite(Operation& operation) {
    const std::string shown = volume(operation).shown(operation.to);
    RH_TRY(const auto st, look(operation, operation.to));
    if (!st || st->st_ino != operation.object.ino) {
      if (!moved(shown, "promoted", "the promoted file", st ? describe(*st) : "nothing", st ? &*st : nullptr))
        return {};
      drop(operation, shown, st ? "it is another file now, which stays as it is" : kGone);
      keep(operation, operation.from, shown + ": its old bytes are kept as ");
      return {};
    }
    operation.object = facts_of(*st);
    found_.rewritten.insert(place_key(operation, operation.to));
    const std::size_t accepted = found_.accepted.size();
    RH_CHECK(check_unchanged(operation, operation.to, *st));
    // The bytes that the promotion wrote are not those that an undo would have to bring back.
    if (found_.accepted.size() != accepted) operation.saved = {};
    return {};
  }

  /// A change time seems earlier than it is by the step in which its filesystem keeps it.
  std::int64_t settled_ns(const Operation& operation) const {
    return order_.settled_ns - (order_.time_grains_ns[operation.volume] - 1);
  }
  bool is_settled(const Operation& operation, const struct stat& st) const {
    return promote::is_settled(st, settled_ns(operation));
  }

  /// The object is as the manifest has it; a directory with all that is in it.
  Result<void> check_unchanged(const Operation& operation, const Place& place, const struct stat& st) {
    Volume& on = volume(operation);
    const std::string shown = on.shown(place);
    const auto record = order_.after.find(shown);
    if (record == order_.after.end()) return {};
    const auto& [type, after] = record->second;
    const bool is_directory = S_ISDIR(st.st_mode);
    RH_TRY(const std::string edits, edits_of({on, place, shown, st, type, after, settled_ns(operation)}));
    if (!edits.empty() && moved(shown, "promoted", "as it was promoted", "edited since: " + edits, &st))
      keep_edit(operation, place);
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
        RH_TRY(const auto child, unless_moved(on.find(below), on.shown(below)));
        if (!child) continue;
        if (moved(on.shown(below), "promoted", "nothing", "made since: " + promote::describe(*child),
                  &*child))
          keep_edit(operation, below);
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

  /// What one look at all of them has found.
  struct Found {
    std::set<std::string> parked;           ///< store places that get their object by an earlier operation
    std::set<std::string> lost;             ///< store places that get no object because it is gone
    std::set<std::string> undecided;        ///< the same, as long as nobody has accepted it
    std::set<std::string> rewritten;        ///< host places of files that get their old bytes back
    std::set<std::size_t> dropped;          ///< numbers of operations
    std::map<std::size_t, Operation> room;  ///< what goes before the operation of that number
    std::map<std::string, std::string>
        staying;  ///< places of objects that keep their new names, and what is said
    std::optional<MovedPlaces> ends;
    std::vector<Moved> moved;
    std::set<std::string> accepted;
    std::vector<std::string> left;
    std::vector<Operation> given_up;
    std::vector<Kept> kept;
  };

  const RollbackBinding& order_;
  Staleness& result_;
  std::unordered_map<std::string, std::vector<std::size_t>> takers_;
  MovedPlaces moved_{MovedPlaces::Of::kAll};  ///< by the operations so far
  std::set<std::size_t> homeless_;  ///< numbers of those that would park something that has no way back
  Found found_;
};

}  // namespace

Result<void> bind_rollback(const RollbackBinding& order, Staleness& result) {
  return Binding(order, result).bind();
}

}  // namespace rehearse::promote
