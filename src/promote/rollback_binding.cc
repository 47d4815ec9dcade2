#include "promote/rollback_binding.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "promote/object_writer.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::FileType;

class Binding {
 public:
  Binding(const RollbackBinding& order, Staleness& result) : order_(order), result_(result) {}

  /// Fills in what is expected of each object and finds what has changed since.
  Result<void> bind() {
    std::unordered_map<std::string, bool> from_store;  // store places that get their object by an earlier one
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
    }
    return {};
  }

 private:
  Volume& volume(const Operation& operation) { return order_.volumes[operation.volume].volume; }

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

  void moved(const std::string& path, std::string then, std::string now) {
    for (const std::string& accepted : order_.accept) {
      if (!is_below(path, accepted)) continue;
      result_.accepted.push_back(path);
      return;
    }
    result_.moved.push_back({path, "promoted", std::move(then), std::move(now), ""});
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
        from_store[place_key(operation, operation.to)] = true;
        if (renamed_here(operation)) return {};
        return check_unchanged(operation, operation.from, *st);
      }
      return {};
    }
    // Out of the store: nothing may be in its way, and nobody has written to it.
    if (!from_store.contains(place_key(operation, operation.from))) {
      RH_TRY(const auto st, look(operation, operation.from));
      if (!st || st->st_ino != ino)
        return fail(volume(operation).shown(operation.from) + ": what was kept is gone", ExitCode::kDataError,
                    "it cannot be taken back");
      check_kept(operation, operation.object, *st, volume(operation).shown(operation.to));
      operation.object = facts_of(*st);
    }
    RH_TRY(const auto newcomer, look(operation, operation.to));
    const bool leaves =
        std::any_of(order_.operations.begin(), order_.operations.end(), [&](const Operation& other) {
          return other.kind == OperationKind::kMove && other.volume == operation.volume &&
                 other.from == operation.to;
        });
    if (newcomer && !leaves) {
      // Accepting does not help: it would have to be overwritten.
      result_.moved.push_back({volume(operation).shown(operation.to), "removed", "nothing",
                               fmt::format("inode {}, {} bytes", newcomer->st_ino, newcomer->st_size), ""});
    }
    return {};
  }

  /// A renamed object of the host, parked on its way: what is in it goes with it.
  bool renamed_here(const Operation& operation) const {
    for (const Operation& other : order_.operations) {
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
      result_.moved.push_back({shown, "promoted", "the promoted object", "nothing", ""});
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
    if (operation.time_only) return {};
    RH_TRY(const auto now, settings_now(operation, operation.from));
    if (!now) return {};
    Settings promoted = *std::exchange(operation.before, now);
    if (operation.type == FileType::kDir) promoted.mtime_ns = now->mtime_ns;
    if (to_ns(st->st_ctim) <= order_.settled_ns || *now == promoted) return {};
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
    const auto record = order_.after.find(shown);
    if (record == order_.after.end()) return {};
    const auto& [type, after] = record->second;
    const bool is_directory = S_ISDIR(st.st_mode);
    const bool settled = to_ns(st.st_ctim) <= order_.settled_ns;
    if (!settled || (!is_directory && to_ns(st.st_mtim) != after.mtime_ns)) {
      RH_TRY(const int dir, unless_moved(on.parent(place), shown));
      std::optional<struct stat> opened = st;
      RH_TRY(const Attributes now,
             unless_moved(effects::read_attributes(dir, std::string(leaf_of(place.path)).c_str(), opened,
                                                   effects::Content::kHash),
                          shown));
      Settings wanted = settings_of(after);
      Settings found = settings_of(now);
      if (is_directory) wanted.mtime_ns = found.mtime_ns = 0;
      const bool equal = wanted == found && now.target == after.target && now.rdev == after.rdev &&
                         (type != FileType::kFile || now.sha256 == after.sha256);
      if (!equal) moved(shown, "as it was promoted", "edited since");
    }
    if (!is_directory) return {};
    RH_TRY(const UniqueFd directory,
           unless_moved(open_below(on.root(), place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), shown));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    for (const effects::Listed& entry : names) {
      const Place below{Area::kHost, place.path + '/' + std::string(entry.name)};
      if (comes_out(operation, below)) continue;
      if (order_.after.contains(on.shown(below))) {
        RH_TRY(const auto child, unless_moved(on.find(below), on.shown(below)));
        if (child) RH_CHECK(check_unchanged(operation, below, *child));
      } else {
        result_.moved.push_back({on.shown(below), "promoted", "nothing", "made since", ""});
      }
    }
    return {};
  }

  /// It is taken out of that directory before the directory goes.
  bool comes_out(const Operation& operation, const Place& place) const {
    return std::any_of(order_.operations.begin(), order_.operations.end(), [&](const Operation& other) {
      return other.kind == OperationKind::kMove && other.volume == operation.volume && other.from == place;
    });
  }

  const RollbackBinding& order_;
  Staleness& result_;
};

}  // namespace

std::string place_key(const Operation& operation, const Place& place) {
  return fmt::format("{}{}{}", operation.volume, place.area == Area::kHost ? 'h' : 's', place.path);
}

Result<void> bind_rollback(const RollbackBinding& order, Staleness& result) {
  return Binding(order, result).bind();
}

}  // namespace rehearse::promote
