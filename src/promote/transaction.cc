#include "promote/transaction.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>

#include "base/clock.h"
#include "base/sys.h"
#include "promote/object_writer.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

constexpr unsigned kNoReplace = RENAME_NOREPLACE;
constexpr unsigned kExchanged = RENAME_EXCHANGE;
constexpr unsigned kPatience = 300;

/// The bytes of `from` into the very file `to`, which keeps its inode.
Result<void> rewrite(Volume& volume, const Place& from, const Place& to, const Facts& facts,
                     std::uint64_t old_size) {
  RH_TRY(const int source_dir, volume.parent(from));
  RH_TRY(const UniqueFd source, sys::open_beneath(source_dir, std::string(leaf_of(from.path)).c_str(),
                                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  RH_TRY(const int target_dir, volume.parent(to));
  RH_TRY(const UniqueFd target, sys::open_beneath(target_dir, std::string(leaf_of(to.path)).c_str(),
                                                  O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  RH_TRY(const struct stat st, sys::stat_fd(target.get()));
  if (st.st_ino != facts.ino || !S_ISREG(st.st_mode))
    return fail(volume.shown(to) + " is another file by now", ExitCode::kStale, "rehearse again");
  return overwrite_content(source.get(), target.get(), old_size);
}

/// The object that was looked at, and nobody has touched it since.
bool is_expected(const Facts& now, const Facts& facts) {
  if (now.ino != facts.ino) return false;
  return facts.ctime_ns != 0 ? now.ctime_ns == facts.ctime_ns
                             : now.mtime_ns == facts.mtime_ns && now.size == facts.size;
}

}  // namespace

Result<bool> Transaction::stands(const Operation& operation, const Place& place, std::uint64_t inode) {
  while (true) {
    auto found = volume(operation).find(place);
    if (found) return *found && (*found)->st_ino == inode;
    const int err = found.error().err;
    if (err != ENOENT && err != ENOTDIR && err != ELOOP && err != EXDEV)
      return tl::make_unexpected(std::move(found).error());
    // Somebody may be about to put the directory back.
    if (patience_ == 0) return false;
    --patience_;
    ::usleep(1000);
    volume(operation).forget_parents();
  }
}

Result<void> Transaction::expect(const Operation& operation, const Place& place, const Facts& facts,
                                 bool times) {
  const auto stale = [&](const std::string& why) {
    return fail(volume(operation).shown(place) + " " + why, ExitCode::kStale, "rehearse again");
  };
  auto found = volume(operation).find(place);
  if (!found) {
    const int err = found.error().err;
    if (err == ENOENT || err == ENOTDIR || err == ELOOP || err == EXDEV)
      return stale("has lost the directory it was in (" + found.error().what + ")");
    return tl::make_unexpected(std::move(found).error());
  }
  if (!*found) return stale("is gone");
  const Facts now = facts_of(**found);
  if (now.ino != facts.ino) return stale("was replaced while it was being promoted");
  if (times && !is_expected(now, facts)) return stale("was changed while it was being promoted");
  return {};
}

Result<void> Transaction::rename(const Operation& operation, const Place& from, const Place& to,
                                 unsigned flags) {
  Volume& on = volume(operation);
  RH_TRY(const int from_dir, on.parent(from));
  const std::string from_name(leaf_of(from.path));
  const std::string to_name(leaf_of(to.path));
  // Both parents may come from the same cache: keep the first while the second is opened.
  std::optional<UniqueFd> kept;
  int source = from_dir;
  if (from.area == to.area && parent_of(from.path) != parent_of(to.path)) {
    RH_TRY(kept, sys::dup(from_dir));
    source = kept->get();
  }
  RH_TRY(const int to_dir, on.parent(to));
  auto renamed = sys::rename_at2(source, from_name.c_str(), to_dir, to_name.c_str(), flags);
  if (operation.type == FileType::kDir) on.forget_parents();
  if (renamed) return {};
  const int err = renamed.error().err;
  const std::string shown = on.shown(to.area == Area::kHost ? to : from);
  if (err == EEXIST)
    return fail_for(err, shown + " has appeared while it was being promoted", ExitCode::kStale,
                    "rehearse again");
  if (err == EBUSY)
    return fail_for(err, shown + " is a mount point or otherwise in use by the kernel", ExitCode::kFailure,
                    "unmount it first");
  return with_context(renamed.error(), shown);
}

/// Compares what is to be taken away while the host is still whole, so that nothing but renames is left for
/// the time in which it is mixed. What changes between here and there is found by `check_displaced`. What an
/// earlier operation brings to its place is not there yet: it is looked at when it is come to.
void Transaction::look_ahead() {
  seen_.assign(operations_.size(), {});
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const Operation& operation = operations_[i];
    const bool exchange = operation.kind == OperationKind::kExchange;
    const bool taken = operation.kind == OperationKind::kMove && operation.from.area == Area::kHost &&
                       operation.to.area == Area::kStore;
    if ((!exchange && !taken) || operation.entries || operation.type == FileType::kDir) continue;
    const Place& place = exchange ? operation.to : operation.from;
    const auto found = volume(operation).find(place);
    if (!found || !*found) continue;
    if (exchange && !expect(operation, operation.from, operation.object, false)) continue;
    if (!is_expected(facts_of(**found), exchange ? operation.displaced : operation.object)) continue;
    auto appearance = appearance_of(volume(operation), place, **found);
    if (!appearance) continue;
    seen_[i].ahead = true;
    seen_[i].appearance = std::move(*appearance);
  }
}

/// Keeps what stands at `place`, which is about to be taken away, looks like.
Result<void> Transaction::see(const Operation& operation, const Place& place, Seen& seen) {
  RH_TRY(const auto st, volume(operation).find(place));
  if (!st) return fail_errno(ENOENT, volume(operation).shown(place));
  RH_TRY(seen.appearance, appearance_of(volume(operation), place, *st));
  return {};
}

/// What is to get new attributes has those that they were made from: else an edit would be overwritten.
Result<void> Transaction::expect_settings(const Operation& operation) {
  if (!operation.before || operation.time_only) return {};
  const std::string name(leaf_of(operation.to.path));
  RH_TRY(const int dir, operation.to.path.empty() ? Result<int>(volume(operation).root())
                                                  : volume(operation).parent(operation.to));
  RH_TRY(Settings now, read_settings(dir, name, operation.type));
  Settings then = *operation.before;
  then.mtime_ns = now.mtime_ns;  // earlier operations move it
  if (operation.entries && operation.type == FileType::kFile) {
    // A rewrite has taken it away.
    for (Settings* settings : {&now, &then}) settings->xattrs.erase("security.capability");
  }
  if (now == then) return {};
  return fail(volume(operation).shown(operation.to) + " was changed while it was being promoted",
              ExitCode::kStale, "rehearse again");
}

Result<void> Transaction::set_one(const Operation& operation) {
  if (!operation.after) return {};
  const std::string name(leaf_of(operation.to.path));
  RH_TRY(const int dir, operation.to.path.empty() ? Result<int>(volume(operation).root())
                                                  : volume(operation).parent(operation.to));
  if (operation.time_only) return set_time(dir, name, operation.after->mtime_ns);
  return apply_settings(dir, name, operation.type, *operation.after);
}

Result<void> Transaction::perform_one(const Operation& operation, Seen& seen) {
  const bool is_host = operation.from.area == Area::kHost;
  switch (operation.kind) {
    case OperationKind::kMove:
      if (!seen.ahead) {
        RH_CHECK(expect(operation, operation.from, operation.object, is_host && !operation.entries));
        if (is_host && operation.to.area == Area::kStore) RH_CHECK(see(operation, operation.from, seen));
      }
      return rename(operation, operation.from, operation.to, kNoReplace);
    case OperationKind::kExchange:
      if (!seen.ahead) {
        RH_CHECK(expect(operation, operation.to, operation.displaced, !operation.entries));
        RH_CHECK(see(operation, operation.to, seen));
        RH_CHECK(expect(operation, operation.from, operation.object, false));
      }
      return rename(operation, operation.from, operation.to, kExchanged);
    case OperationKind::kAttributes: {
      if (!operation.after) return {};
      RH_CHECK(
          expect(operation, operation.to, operation.object,
                 operation.type != FileType::kDir && !operation.entries && operation.from == operation.to));
      RH_CHECK(expect_settings(operation));
      seen.begun = true;
      RH_CHECK(set_one(operation));
      seen.done = true;
      return {};
    }
    case OperationKind::kRewrite:
      RH_CHECK(expect(operation, operation.to, operation.object, true));
      return rewrite(volume(operation), operation.from, operation.to, operation.object,
                     operation.object.size);
  }
  return {};
}

Result<void> Transaction::perform(const std::function<void(std::uint64_t)>& progress) {
  look_ahead();
  std::int64_t first = 0;
  for (const Operation& operation : operations_) {
    const bool renames = operation.kind == OperationKind::kMove || operation.kind == OperationKind::kExchange;
    if (renames && first == 0) first = monotonic_ns();
    // Of one that fails half-way, something may have been done.
    ++done_;
    RH_CHECK(perform_one(operation, seen_[done_ - 1]));
    if (renames) window_ns_ = monotonic_ns() - first;
    if (progress && (done_ & 255U) == 0) progress(done_);
  }
  return {};
}

Result<void> Transaction::check_displaced() {
  std::unordered_set<std::string> moved_on;  // out of the store again: parked objects
  for (const Operation& operation : operations_) {
    if (operation.kind == OperationKind::kMove && operation.from.area == Area::kStore)
      moved_on.insert(std::to_string(operation.volume) + ':' + operation.from.path);
  }
  // Objects that this list itself gives attributes, under another of their names.
  std::set<std::pair<std::uint32_t, std::uint64_t>> set;
  for (const Operation& operation : operations_) {
    const bool sets = operation.kind == OperationKind::kAttributes && operation.after;
    if (sets || operation.kind == OperationKind::kRewrite)
      set.emplace(operation.volume, operation.object.ino);
  }
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const Operation& operation = operations_[i];
    const bool exchange = operation.kind == OperationKind::kExchange;
    const bool taken = operation.kind == OperationKind::kMove && operation.to.area == Area::kStore;
    if (!exchange && !taken) continue;
    const Place& place = exchange ? operation.from : operation.to;
    if (taken && moved_on.contains(std::to_string(operation.volume) + ':' + place.path)) continue;
    const Facts& then = exchange ? operation.displaced : operation.object;
    RH_TRY(const auto st, volume(operation).find(place));
    const std::string shown = volume(operation).shown(exchange ? operation.to : operation.from);
    if (!st) return fail(shown + " is gone from where it is kept", ExitCode::kFailure);
    const Facts now = facts_of(*st);
    const bool ours = set.contains({operation.volume, now.ino});
    const bool file = !S_ISDIR(st->st_mode) && !operation.entries;
    bool written = now.ino != then.ino || (file && now.size != then.size) ||
                   (file && !ours && now.mtime_ns != then.mtime_ns);
    if (!written && !ours && seen_[i].appearance) {
      RH_TRY(const Appearance appearance, appearance_of(volume(operation), place, *st));
      written = appearance != *seen_[i].appearance;
    }
    if (written)
      return fail(shown + " was changed while it was being promoted", ExitCode::kStale, "rehearse again");
  }
  return {};
}

Result<void> Transaction::undo_move(const Operation& operation, Undone& report) {
  RH_TRY(const bool moved, stands(operation, operation.to, operation.object.ino));
  if (!moved) {
    RH_TRY(const bool never, stands(operation, operation.from, operation.object.ino));
    if (never) return {};
    // Parked there by an earlier operation, which may not have been come to.
    const bool parked = std::any_of(operations_.begin(), operations_.end(), [&](const Operation& other) {
      return other.kind == OperationKind::kMove && other.volume == operation.volume &&
             other.to == operation.from;
    });
    if (parked) return {};
    const std::string shown = volume(operation).shown(operation.to);
    if (operation.from.area == Area::kHost) return fail(shown + ": the object is in neither place");
    report.kept.push_back(shown + ": somebody removed or replaced the new object; left as it is");
    return {};
  }
  auto back = rename(operation, operation.to, operation.from, kNoReplace);
  if (!back && back.error().err == EEXIST) {
    RH_CHECK(rename(operation, operation.to, operation.from, kExchanged));
    report.kept.push_back(volume(operation).shown(operation.from) +
                          " had been made anew meanwhile; that is kept as " +
                          volume(operation).shown(operation.to));
    back = Result<void>();
  }
  if (!back) return back;
  ++report.undone;
  return {};
}

Result<void> Transaction::undo_exchange(const Operation& operation, Undone& report) {
  RH_TRY(const bool installed, stands(operation, operation.to, operation.object.ino));
  if (installed) {
    RH_CHECK(rename(operation, operation.from, operation.to, kExchanged));
    ++report.undone;
    // Whoever wrote to the new object meanwhile finds it in the store.
    RH_TRY(const auto st, volume(operation).find(operation.from));
    const bool edited = st && !S_ISDIR(st->st_mode) &&
                        (to_ns(st->st_mtim) != operation.object.mtime_ns ||
                         static_cast<std::uint64_t>(st->st_size) != operation.object.size);
    if (edited)
      report.kept.push_back(volume(operation).shown(operation.to) +
                            " had been edited meanwhile; that is kept as " +
                            volume(operation).shown(operation.from));
    return {};
  }
  RH_TRY(const bool never, stands(operation, operation.from, operation.object.ino));
  if (never) return {};
  RH_TRY(const bool kept, stands(operation, operation.from, operation.displaced.ino));
  const std::string shown = volume(operation).shown(operation.to);
  if (!kept) return fail(shown + ": neither the old nor the new object is where it should be");
  // Somebody put another object in place of the new one: the old one comes back, theirs is kept.
  RH_TRY(const auto newcomer, volume(operation).find(operation.to));
  RH_CHECK(rename(operation, operation.from, operation.to, newcomer ? kExchanged : kNoReplace));
  ++report.undone;
  report.kept.push_back(newcomer ? shown + " had been replaced meanwhile; that is kept as " +
                                       volume(operation).shown(operation.from)
                                 : shown + " had been removed meanwhile; the old object is back");
  return {};
}

Result<void> Transaction::unset_one(const Operation& operation, int dir, const std::string& name) {
  const Seen* seen =
      seen_.empty() ? nullptr : &seen_[static_cast<std::size_t>(&operation - operations_.data())];
  const bool is_directory = operation.type == FileType::kDir;
  if (seen != nullptr && !seen->begun)  // not come to; but renames move a directory's time
    return is_directory ? set_time(dir, name, operation.before->mtime_ns) : Result<void>();
  RH_TRY(Settings now, read_settings(dir, name, operation.type));
  if (is_directory) now.mtime_ns = operation.after->mtime_ns;
  const bool whole = seen != nullptr && seen->done;
  return apply_settings(dir, name, operation.type,
                        taken_back(std::move(now), *operation.after, *operation.before, whole));
}

Result<void> Transaction::undo_one(const Operation& operation, Undone& report) {
  switch (operation.kind) {
    case OperationKind::kMove:
      return undo_move(operation, report);
    case OperationKind::kExchange:
      return undo_exchange(operation, report);
    case OperationKind::kAttributes: {
      RH_TRY(const bool here, stands(operation, operation.from, operation.object.ino));
      if (!here || !operation.before) return {};
      const std::string name(leaf_of(operation.from.path));
      RH_TRY(const int dir, operation.from.path.empty() ? Result<int>(volume(operation).root())
                                                        : volume(operation).parent(operation.from));
      if (operation.time_only) return set_time(dir, name, operation.before->mtime_ns);
      if (!operation.after) return apply_settings(dir, name, operation.type, *operation.before);
      return unset_one(operation, dir, name);
    }
    case OperationKind::kRewrite: {
      RH_TRY(const auto st, volume(operation).find(operation.to));
      if (!st || st->st_ino != operation.object.ino)
        return fail(volume(operation).shown(operation.to) + " was replaced meanwhile");
      RH_CHECK(rewrite(volume(operation), operation.saved, operation.to, operation.object,
                       static_cast<std::uint64_t>(st->st_size)));
      RH_TRY(const int dir, volume(operation).parent(operation.to));
      ++report.undone;
      return set_time(dir, std::string(leaf_of(operation.to.path)), operation.object.mtime_ns);
    }
  }
  return {};
}

Undone Transaction::undo_first(std::size_t count) {
  Undone report;
  patience_ = kPatience;
  for (Volume& on : volumes_) on.forget_parents();
  const auto undo_it = [&](const Operation& operation) {
    if (auto undone = undo_one(operation, report); !undone)
      report.failed.push_back(volume(operation).shown(operation.to) + ": " + undone.error().what);
  };
  for (std::size_t i = count; i-- > 0;) {
    if (operations_[i].kind != OperationKind::kAttributes) undo_it(operations_[i]);
  }
  // When everything is where it was: renames move the times of directories. Also of operations that were not
  // come to, which find nothing changed otherwise.
  for (Volume& on : volumes_) on.forget_parents();
  for (const Operation& operation : operations_) {
    if (operation.kind == OperationKind::kAttributes) undo_it(operation);
  }
  patience_ = 0;
  return report;
}

Undone Transaction::undo() {
  return undo_first(operations_.size());
}

Undone Transaction::undo_done() {
  return undo_first(done_);
}

Result<bool> Transaction::all_done() {
  std::unordered_set<std::string> moved_on;
  for (const Operation& operation : operations_) {
    if (operation.kind == OperationKind::kMove)
      moved_on.insert(std::to_string(operation.volume) + (operation.from.area == Area::kHost ? 'h' : 's') +
                      operation.from.path);
  }
  for (const Operation& operation : operations_) {
    if (operation.kind == OperationKind::kRewrite) return false;  // its bytes would have to be compared
    if (operation.kind == OperationKind::kAttributes) continue;
    const bool parked = operation.to.area == Area::kStore &&
                        moved_on.contains(std::to_string(operation.volume) + 's' + operation.to.path);
    if (parked) continue;
    RH_TRY(const bool there, stands(operation, operation.to, operation.object.ino));
    if (!there) return false;
  }
  return true;
}

Result<void> Transaction::set_attributes() {
  for (Volume& on : volumes_) on.forget_parents();
  for (const Operation& operation : operations_) {
    if (operation.kind != OperationKind::kAttributes || !operation.after) continue;
    // Its change time may be that of a first try.
    RH_CHECK(expect(operation, operation.to, operation.object, false));
    RH_CHECK(set_one(operation));
  }
  return {};
}

std::vector<Operation> inverted(std::span<const Operation> operations) {
  std::vector<Operation> back;
  std::vector<Operation> attributes;
  for (auto operation = operations.rbegin(); operation != operations.rend(); ++operation) {
    Operation one = *operation;
    switch (one.kind) {
      case OperationKind::kMove:
        std::swap(one.from, one.to);
        break;
      case OperationKind::kExchange:
        std::swap(one.object, one.displaced);
        break;
      case OperationKind::kAttributes:
        std::swap(one.before, one.after);
        std::swap(one.from, one.to);
        break;
      case OperationKind::kRewrite:
        std::swap(one.from, one.saved);
        break;
    }
    (one.kind == OperationKind::kAttributes ? attributes : back).push_back(std::move(one));
  }
  back.insert(back.end(), attributes.begin(), attributes.end());
  return back;
}

}  // namespace rehearse::promote
