#include "promote/undo.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "promote/incoming.h"
#include "promote/object_writer.h"
#include "promote/restored.h"
#include "promote/rewrite.h"
#include "promote/stage.h"
#include "promote/taken_back.h"

namespace rehearse::promote {
namespace {

using effects::FileType;
using What = Look::What;

constexpr unsigned kPatience =
    300;  ///< how often an object that is in no place is looked for again, 1 ms apart
constexpr unsigned kTries = 1000;  ///< at one object, against somebody who moves it all the time

/// What was looked at is not so any more: it is to be looked at again.
bool has_moved(int err) {
  return err == ENOENT || err == EEXIST || err == ENOTDIR || err == EISDIR || err == ESTALE;
}

tl::unexpected<Error> no_way(const std::string& shown) {
  return fail(shown + ": no way leads to its directory", ExitCode::kFailure,
              "put the directory back, then: rehearse recover");
}

}  // namespace

/// Somebody may be about to put it back.
bool Undo::wait() {
  if (patience_ == 0) return false;
  --patience_;
  ::usleep(1000);
  site_.forget();
  return true;
}

/// Its object was parked there by an earlier operation, which may not have been come to: it is none that came
/// with the run.
bool Undo::is_parked(const Operation& operation) const {
  return operation.from.area == Area::kStore && parked_.contains(place_key(operation, operation.from));
}

Setting Undo::setting_of(const Operation& operation) const {
  if (settings_.empty()) return Setting::kUnknown;
  return settings_[static_cast<std::size_t>(&operation - operations_.data())];
}

Result<void> Undo::undo_move(const Operation& operation) {
  const std::uint64_t inode = operation.object.ino;
  for (unsigned tries = 0; tries < kTries; ++tries) {
    RH_TRY(const Look there, site_.look(operation, End::kTo));
    RH_TRY(const bool ours, is_moved_object(operation, there));
    if (ours) {
      RH_TRY(const bool over, move_back(operation));
      if (over) return {};
      site_.forget();
      continue;
    }
    RH_TRY(const Look here, site_.look(operation, End::kFrom));
    if (here.is(inode)) return name_kept(operation);
    if (is_parked(operation)) return {};
    if (wait()) continue;
    const End end = operation.from.area == Area::kHost ? End::kFrom : End::kTo;
    if (there.what == What::kLost || here.what == What::kLost) return no_way(site_.shown(operation, end));
    report_.left.push_back(site_.shown(operation, end) +
                           ": somebody moved, replaced or removed it meanwhile; left as it is");
    return {};
  }
  return fail("somebody moves it all the time");
}

/// The object stands at `to`. False: not any more.
Result<bool> Undo::move_back(const Operation& operation) {
  RH_TRY(const Look home, site_.look(operation, End::kFrom));
  const std::string from = site_.shown(operation, End::kFrom);
  const std::string to = site_.shown(operation, End::kTo);
  if (home.what == What::kLost) return no_way(from);
  if (home.what == What::kGone) {
    auto& lines = operation.to.area == Area::kStore ? report_.kept : report_.left;
    lines.push_back(from + ": its directory is gone; it is kept as " + to);
    return true;
  }
  const bool taken = home.what == What::kObject;
  auto back = site_.rename(operation, End::kTo, taken ? RENAME_EXCHANGE : RENAME_NOREPLACE);
  if (!back) {
    if (has_moved(back.error().err)) return false;
    return tl::make_unexpected(std::move(back).error());
  }
  ++report_.undone;
  if (taken && operation.to.area == Area::kHost)
    report_.left.push_back(from + " had been made anew meanwhile; that is " + to + " now");
  RH_CHECK(name_kept(operation));
  return true;
}

Result<void> Undo::undo_exchange(const Operation& operation) {
  const std::string shown = site_.shown(operation, End::kTo);
  for (unsigned tries = 0; tries < kTries; ++tries) {
    RH_TRY(const Look host, site_.look(operation, End::kTo));
    RH_TRY(const Look store, site_.look(operation, End::kFrom));
    if (host.is(operation.displaced.ino)) return name_kept(operation);
    if (!host.is(operation.object.ino)) {
      // Never come to, and what stood there was replaced.
      if (store.is(operation.object.ino)) return name_kept(operation);
      if (!store.is(operation.displaced.ino))
        return fail(shown + ": neither the old nor the new object is where it should be");
      if (host.what != What::kObject && wait()) continue;
      if (host.what == What::kLost) return no_way(shown);
      if (host.what == What::kGone) {
        report_.kept.push_back(shown + ": its directory is gone; the old object is kept as " +
                               site_.shown(operation, End::kFrom));
        return {};
      }
    }
    // If somebody put another object in place of the new one, the old one comes back and theirs is kept.
    const bool taken = host.what == What::kObject;
    auto back = site_.rename(operation, End::kFrom, taken ? RENAME_EXCHANGE : RENAME_NOREPLACE);
    if (!back && has_moved(back.error().err)) {
      site_.forget();
      continue;
    }
    if (!back) return back;
    ++report_.undone;
    if (!taken)
      report_.left.push_back(shown + " had been moved or removed meanwhile; the old object is back");
    return name_kept(operation);
  }
  return fail("somebody moves it all the time");
}

/// What stands where the operation takes its object is that object. What was made in place of one that was
/// renamed may have got its number; new objects are looked at when they lie in the store again.
Result<bool> Undo::is_moved_object(const Operation& operation, const Look& there) {
  if (!there.is(operation.object.ino)) return false;
  if (operation.from.area != Area::kHost || operation.to.area != Area::kHost) return true;
  RH_TRY(const bool another, is_another(operation, End::kTo, there.st));
  return !another;
}

/// What lies in the store again has the new object's number, and is another one. The number of one that is
/// removed is given out again at once.
Result<bool> Undo::is_another(const Operation& operation, End end, const struct stat& now) {
  const bool exchange = operation.kind == OperationKind::kExchange;
  const bool other_type = exchange ? S_ISDIR(now.st_mode) && operation.type != FileType::kDir
                                   : effects::file_type(now) != operation.type;
  if (other_type) return true;
  return site_.is_new(operation, end, ready_ns_);
}

/// A new object, which lies in the store again, was touched by somebody else.
Result<bool> Undo::is_edited(const Operation& operation, const struct stat& now) {
  if (S_ISDIR(now.st_mode)) {
    RH_TRY(const bool other, holds_other(operation));
    if (other) return true;
  }
  if (facts_of(now) == operation.object) return false;
  if (S_ISREG(now.st_mode) && (to_ns(now.st_mtim) != operation.object.mtime_ns ||
                               static_cast<std::uint64_t>(now.st_size) != operation.object.size))
    return true;
  if (!operation.print) return false;
  RH_TRY(const Spot at, site_.spot(operation, End::kFrom));
  RH_TRY(const bool same, has_print(at.dir, at.name, effects::file_type(now), *operation.print));
  return !same;
}

/// Of a new directory that lies in the store again. Of one that was not looked at nothing is known.
Result<bool> Undo::holds_other(const Operation& operation) {
  if (!operation.tree) return true;
  static const std::set<std::string> kNothing;
  RH_TRY(const Sha256 print, print_tree(site_.volume(operation).store(), operation.from.path,
                                        {kNothing, touched_[operation.volume]}));
  return print != *operation.tree;
}

/// Of an operation that is undone: what of somebody else's lies in the store where its new object came from,
/// or where its old one was kept. It is told by what is there, so that a second try names it again.
Result<void> Undo::name_kept(const Operation& operation) {
  const bool exchange = operation.kind == OperationKind::kExchange;
  const End end = operation.from.area == Area::kStore ? End::kFrom : End::kTo;
  if (place_of(operation, end).area != Area::kStore || is_parked(operation)) return {};
  RH_TRY(const Look store, site_.look(operation, end));
  if (store.what != What::kObject) return {};
  const std::string shown = site_.shown(operation, end == End::kFrom ? End::kTo : End::kFrom);
  const std::string kept = "; that is kept as " + site_.shown(operation, end);
  if (end == End::kTo) {
    report_.kept.push_back(shown + " had been made anew meanwhile" + kept);
  } else if (!store.is(operation.object.ino)) {
    if (exchange) report_.kept.push_back(shown + " had been replaced meanwhile" + kept);
  } else {
    RH_TRY(const bool another, is_another(operation, end, store.st));
    if (another) {
      report_.kept.push_back(shown + " had been replaced meanwhile" + kept);
      return {};
    }
    RH_TRY(const bool edited, is_edited(operation, store.st));
    if (edited) report_.kept.push_back(shown + " had been edited meanwhile" + kept);
  }
  return {};
}

/// The operation's object stands there, and none that was made since and has got its number.
Result<bool> Undo::is_it(const Operation& operation, End end, const Look& look) {
  if (!look.is(operation.object.ino)) return false;
  RH_TRY(const bool another, is_another(operation, end, look.st));
  return !another;
}

Result<void> Undo::undo_attributes(const Operation& operation) {
  if (!operation.before) return {};
  const Setting setting = setting_of(operation);
  const bool is_directory = operation.type == FileType::kDir;
  const std::string shown = site_.shown(operation, End::kFrom);
  RH_TRY(const Look here, site_.look(operation, End::kFrom));
  RH_TRY(const bool ours, is_it(operation, End::kFrom, here));
  if (!ours) {
    const bool changed = setting != Setting::kNotBegun && operation.after && !operation.time_only;
    if (!changed) return {};
    if (here.what == What::kLost) return no_way(shown);
    report_.left.push_back(
        shown + ": somebody moved, replaced or removed it meanwhile; its attributes are left as they are");
    return {};
  }
  RH_TRY(const Spot at, site_.spot(operation, End::kFrom));
  const std::int64_t mtime_ns = to_ns(here.st.st_mtim);
  const bool rewritten = operation.entries && !is_directory;
  if (operation.time_only || !operation.after || (setting == Setting::kNotBegun && !rewritten)) {
    // Renames move a directory's time; that of anything else is somebody's unless it was set.
    const bool set =
        is_directory || (operation.time_only && operation.after && mtime_ns == operation.after->mtime_ns);
    if (!set || mtime_ns == operation.before->mtime_ns) return {};
    return set_time(at.dir, at.name, operation.before->mtime_ns);
  }
  return take_back_settings(operation, at, here.st, shown);
}

/// Of a directory whose attributes are taken back, when everything that was moved is where it was.
Result<bool> Undo::holds_other_names(const Operation& operation, const Spot& at) {
  const Directory* noted = site_.noted(operation, End::kFrom);
  if (noted == nullptr || !noted->listing) return false;
  RH_TRY(const UniqueFd directory, sys::open_beneath(at.dir, at.name.empty() ? "." : at.name.c_str(),
                                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const Sha256 listing, print_listing(directory.get(), noted->path.empty()));
  return listing != *noted->listing;
}

Result<void> Undo::take_back_settings(const Operation& operation, const Spot& at, const struct stat& st,
                                      const std::string& shown) {
  const bool is_directory = operation.type == FileType::kDir;
  const bool rewritten = operation.entries && !is_directory;
  RH_TRY(Settings now, read_settings(at.dir, at.name, operation.type));
  if (is_directory) now.mtime_ns = operation.after->mtime_ns;
  const bool whole = setting_of(operation) == Setting::kDone;
  const TakenBack taken = taken_back(now, *operation.after, *operation.before, {whole, rewritten});
  Settings timeless = taken.settings;
  timeless.mtime_ns = now.mtime_ns;
  const bool written =
      !is_directory && !rewritten && !S_ISLNK(st.st_mode) &&
      (static_cast<std::uint64_t>(st.st_size) != operation.object.size ||
       (now.mtime_ns != operation.before->mtime_ns && now.mtime_ns != operation.after->mtime_ns));
  // Who wrote to it, or put something into it, trusted in those that it had.
  if (timeless != now) {
    RH_TRY(const bool filled, is_directory ? holds_other_names(operation, at) : Result<bool>(false));
    if (written || filled) {
      report_.left.push_back(shown +
                             (filled ? ": somebody put something into it or took something out meanwhile"
                                     : ": somebody wrote to it meanwhile") +
                             "; its attributes are left as they are");
      return {};
    }
  }
  RH_CHECK(apply_settings(at.dir, at.name, operation.type, taken.settings));
  if (taken.theirs.empty()) return {};
  report_.left.push_back(fmt::format("{}: somebody set its {} meanwhile; that is left as it is", shown,
                                     fmt::join(taken.theirs, ", ")));
  return {};
}

/// Where in the store a copy of what somebody wrote into a rewritten file is kept.
std::string Undo::written_place(const Operation& operation, unsigned number) const {
  return fmt::format("{}/e{}-{}-{}", kKept, ready_ns_, &operation - operations_.data(), number);
}

Result<void> Undo::keep_written(const Operation& operation) {
  Volume& volume = site_.volume(operation);
  unsigned number = 0;
  Place place;
  for (bool taken = true; taken; ++number) {
    place = {Area::kStore, written_place(operation, number)};
    RH_TRY(const auto st, volume.find(place));
    taken = st.has_value();
  }
  // Whole or not at all under that name.
  const std::string name(leaf_of(place.path));
  const std::string half = name + ".new";
  RH_TRY(const int parent, volume.parent(place));
  RH_TRY(const UniqueFd kept, sys::dup(parent));
  (void)sys::unlink_at(kept.get(), half.c_str(), 0);
  RH_TRY(const Spot at, site_.spot(operation, End::kTo));
  std::optional<struct stat> st;
  RH_TRY(const effects::Attributes now,
         effects::read_attributes(at.dir, at.name.c_str(), st, effects::Content::kSkip));
  RH_CHECK(copy_object(at.dir, at.name, kept.get(), half, FileType::kFile, now));
  return sys::rename_at2(kept.get(), half.c_str(), kept.get(), name.c_str(), RENAME_NOREPLACE);
}

/// Also what an earlier try has kept.
Result<void> Undo::name_written(const Operation& operation) {
  Volume& volume = site_.volume(operation);
  for (unsigned number = 0;; ++number) {
    const Place place{Area::kStore, written_place(operation, number)};
    RH_TRY(const auto st, volume.find(place));
    if (!st) return {};
    report_.kept.push_back(
        site_.shown(operation, End::kTo) +
        " held neither its old nor its new bytes, by somebody or by a rewriting cut short; "
        "that is kept as " +
        volume.shown(place));
  }
}

Result<void> Undo::undo_rewrite(const Operation& operation) {
  for (unsigned tries = 0; tries < kTries; ++tries) {
    RH_TRY(const Look there, site_.look(operation, End::kTo));
    if (there.what == What::kLost) return no_way(site_.shown(operation, End::kTo));
    RH_TRY(const bool ours, is_it(operation, End::kTo, there));
    if (!ours) {
      report_.kept.push_back(site_.shown(operation, End::kTo) +
                             " was moved, replaced or removed meanwhile; its old bytes are kept as " +
                             site_.volume(operation).shown(operation.saved));
      return {};
    }
    RH_TRY(const Holding holding, look_into(site_, operation));
    if (holding.held == Held::kOther) {
      RH_CHECK(keep_written(operation));
      RH_TRY(const Look again, site_.look(operation, End::kTo));
      if (again.what != What::kObject || to_ns(again.st.st_ctim) != holding.ctime_ns) continue;
    }
    auto rewritten = holding.held == Held::kOld ? Result<void>()
                                                : rewrite(site_, operation, operation.saved, holding.size);
    if (!rewritten && rewritten.error().exit == ExitCode::kStale) continue;
    RH_CHECK(std::move(rewritten));
    if (holding.held != Held::kOld) ++report_.undone;
    RH_CHECK(name_written(operation));
    RH_TRY(const Spot at, site_.spot(operation, End::kTo));
    return set_time(at.dir, at.name, operation.object.mtime_ns);
  }
  return fail("somebody writes to it all the time");
}

namespace {

/// What lets the next try succeed where the error says only what the kernel refused; empty: nobody can tell.
std::string remedy(const std::string& shown, int err) {
  switch (err) {
    case EPERM:
      return "it is immutable or append-only (lsattr -d), or a security module forbids it: chattr -i -a " +
             shell_quote(shown);
    case EROFS:
      return "its filesystem is mounted read-only: mount it for writing";
    case EBUSY:
      return "something is mounted there: unmount it";
    case ENOSPC:
    case EDQUOT:
      return "its filesystem is full: make room there";
    case EIO:
      return "its disk fails: see dmesg";
    default:
      return {};
  }
}

/// "PATH: what could not be done; what to do".
std::string failure_line(const std::string& shown, const Error& error) {
  const std::string what = error.what.starts_with(shown) ? error.what : shown + ": " + error.what;
  const std::string fix = error.fix.empty() ? remedy(shown, error.err) : error.fix;
  return fix.empty() ? what : what + "; " + fix;
}

}  // namespace

void Undo::undo(const Operation& operation) {
  Result<void> undone;
  switch (operation.kind) {
    case OperationKind::kMove:
      undone = undo_move(operation);
      break;
    case OperationKind::kExchange:
      undone = undo_exchange(operation);
      break;
    case OperationKind::kAttributes:
      undone = undo_attributes(operation);
      break;
    case OperationKind::kRewrite:
      undone = undo_rewrite(operation);
      break;
  }
  if (!undone) report_.failed.push_back(failure_line(site_.shown(operation, End::kTo), undone.error()));
}

Undone Undo::run(std::size_t count) {
  patience_ = kPatience;
  site_.forget();
  parked_ = taken_to_store(operations_);
  for (const Operation& operation : operations_) {
    if (operation.tree && !touched_.contains(operation.volume))
      touched_.emplace(operation.volume, touched_inodes(operations_, operation.volume));
  }
  for (std::size_t i = count; i-- > 0;) {
    if (operations_[i].kind != OperationKind::kAttributes) undo(operations_[i]);
  }
  // When everything is where it was: renames move the times of directories. Also of operations that were not
  // come to, which find nothing changed otherwise.
  site_.forget();
  for (const Operation& operation : operations_) {
    if (operation.kind == OperationKind::kAttributes) undo(operation);
  }
  return std::move(report_);
}

}  // namespace rehearse::promote
