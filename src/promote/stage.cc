#include "promote/stage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "base/share_out.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "promote/object_writer.h"
#include "promote/run_copy.h"
#include "promote/time_grain.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::FileType;

tl::unexpected<Error> copy_is_gone() {
  return fail("the run's copy is gone", ExitCode::kDataError, "rehearse again");
}

}  // namespace

Stager::Stager(std::span<const Change> changes, const LayerPlan& plan, Volume& volume, int upper,
               bool adopted, std::string tag)
    : changes_(changes),
      plan_(plan),
      volume_(volume),
      upper_(upper),
      adopted_(adopted),
      tag_(std::move(tag)),
      checked_(plan.stages.size()) {}

void Stager::index() {
  if (!now_.empty()) return;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Change& change = changes_[i];
    if (change.layer != plan_.layer || !change.after) continue;
    const std::string path(below_mount(change.path, plan_.mountpoint));
    if (now_.emplace(path, i).second && !path.empty()) ++children_[std::string(parent_of(path))];
  }
}

Result<void> Stager::prepare() {
  for (const char* name : {kKept, kNew}) {
    if (adopted_ && name == kNew) continue;
    auto made = sys::mkdir_at(volume_.store(), name, 0700);
    if (!made && made.error().err != EEXIST) return made;
  }
  return {};
}

Result<Staged> Stager::staged(Place place) {
  RH_TRY(const auto st, volume_.find(place));
  if (!st) return fail("a staged object is gone: " + volume_.shown(place));
  return Staged{std::move(place), facts_of(*st)};
}

bool Stager::is_whole_directory(const StageItem& item) const {
  return changes_[item.change].type == FileType::kDir && item.how == StageItem::How::kWhole;
}

bool Stager::check_ahead(const std::function<void(std::uint64_t)>& progress) {
  if (!adopted_) return false;
  std::atomic<std::uint64_t> done = 0;
  const auto caller = std::this_thread::get_id();
  share_out(plan_.stages.size(), [&] {
    const bool tells = std::this_thread::get_id() == caller;
    return [this, &done, &progress, tells, parents = ParentCache()](std::size_t number) mutable {
      const std::uint64_t count = ++done;
      if (tells) progress(count);
      const StageItem& item = plan_.stages[number];
      if (item.how == StageItem::How::kDirectory || is_whole_directory(item)) return;
      const std::string own = "upper/" + item.path;
      const auto dir = parents.open(volume_.store(), parent_of(own));
      // What lies elsewhere is looked for when its turn comes.
      if (!dir || ::faccessat(*dir, std::string(leaf_of(own)).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return;
      checked_[number] =
          check_run_copy(*dir, std::string(leaf_of(own)), changes_[item.change], Leftovers::kRemove);
    };
  });
  return true;
}

Result<Staged> Stager::stage(std::size_t number) {
  const StageItem& item = plan_.stages[number];
  const Change& change = changes_[item.change];
  if (is_whole_directory(item)) index();
  auto result = item.how == StageItem::How::kDirectory ? stage_directory(change)
                : adopted_                             ? adopt(number)
                                                       : copy(item);
  if (!result)
    return with_context(name_full(std::move(result).error(), volume_, kNothingChanged),
                        "preparing " + change.path);
  return result;
}

Result<Staged> Stager::stage_directory(const Change& change) {
  Place place{Area::kStore, std::string(kKept) + '/' + tag_ + 'd' + std::to_string(count_++)};
  RH_TRY(const int dir, volume_.parent(place));
  const std::string name(leaf_of(place.path));
  RH_CHECK(sys::mkdir_at(dir, name.c_str(), 0700));
  RH_CHECK(apply_settings(dir, name, FileType::kDir, settings_of(*change.after)));
  return staged(std::move(place));
}

/// The upper's object under its own name, or under another name of the same object.
Result<Place> Stager::find_in_upper(const StageItem& item) {
  const Change& change = changes_[item.change];
  const std::string own = "upper/" + item.path;
  const auto opened = upper_parents_.open(upper_, parent_of(own));
  const bool here =
      opened && ::faccessat(*opened, std::string(leaf_of(own)).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (here) return Place{Area::kStore, own};
  if (change.type == FileType::kDir) return copy_is_gone();
  // A name that only the overlay's index knows: the object lies there, or under another of its names.
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const Change& other = changes_[i];
    if (other.layer != plan_.layer || !other.after || other.after->ino != change.after->ino) continue;
    std::string path = "upper/";
    path += below_mount(other.path, plan_.mountpoint);
    const auto parent = open_below(upper_, parent_of(path), O_PATH | O_DIRECTORY);
    struct stat st = {};
    if (parent &&
        ::fstatat(parent->get(), std::string(leaf_of(path)).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_ino == change.after->ino)
      return Place{Area::kStore, path};
  }
  for (const char* where : {"work/index", kKept}) {
    const auto directory = open_below(upper_, where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;
    RH_TRY(const auto names, effects::Listing::read(directory->get()));
    for (const effects::Listed& entry : names) {
      if (entry.ino == change.after->ino)
        return Place{Area::kStore, std::string(where) + '/' + std::string(entry.name)};
    }
  }
  return copy_is_gone();
}

/// Calls `visit(name, number of its record)` for what lies in `directory`, which is that of record `change`
/// and at `path` in the upper. kDataError unless all of that, and nothing else, is on record.
template <class Visit>
Result<void> Stager::each_below(int directory, std::size_t change, const std::string& path,
                                const Visit& visit) {
  const std::string& shown = changes_[change].path;
  const std::string above = path + '/';
  RH_TRY(const auto names, effects::Listing::read(directory));
  for (const effects::Listed& entry : names) {
    const std::string child(entry.name);
    const auto found = now_.find(above + child);
    if (found == now_.end())
      return fail(fmt::format("{}/{} is in the run's copy and has no record", shown, child),
                  ExitCode::kDataError, "the bundle was changed; rehearse again");
    RH_CHECK(visit(child, found->second));
  }
  std::size_t recorded = 0;
  if (const auto children = children_.find(path); children != children_.end()) recorded = children->second;
  if (recorded != names.size())
    return fail(shown + ": the run's copy lacks objects that are on record", ExitCode::kDataError,
                "the bundle was changed; rehearse again");
  return {};
}

/// A new directory moves as a whole: each object in it must be on record, and be as recorded.
Result<void> Stager::verify_tree(int dir, const std::string& name, std::size_t change,
                                 const std::string& path) {
  const Change& record = changes_[change];
  RH_CHECK(check_run_copy(dir, name, record, Leftovers::kRemove));
  if (record.type != FileType::kDir) return {};
  RH_TRY(const UniqueFd directory, sys::open_beneath(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return each_below(directory.get(), change, path, [&](const std::string& child, std::size_t below) {
    return verify_tree(directory.get(), child, below, path + '/' + child);
  });
}

Result<Staged> Stager::adopt(std::size_t number) {
  const StageItem& item = plan_.stages[number];
  const Change& change = changes_[item.change];
  if (const auto& checked = checked_[number]) {
    if (!*checked) return tl::make_unexpected(checked->error());
    std::string own = "upper/" + item.path;
    if (used_.insert(own).second) return Staged{{Area::kStore, std::move(own)}, facts_of(**checked)};
  }
  RH_TRY(Place place, find_in_upper(item));
  RH_TRY(const int dir, volume_.parent(place));
  const std::string name(leaf_of(place.path));
  if (change.type == FileType::kDir) {
    RH_TRY(const UniqueFd own, sys::dup(dir));
    // One that was on the host and came back here by an exchange has a new time on xfs.
    RH_CHECK(set_time(own.get(), name, change.after->mtime_ns));
    RH_CHECK(verify_tree(own.get(), name, item.change, item.path));
    return staged(std::move(place));
  }
  RH_CHECK(check_run_copy(dir, name, change, Leftovers::kRemove));
  const bool own = place.path == "upper/" + item.path || place.path.starts_with(kKept);
  if (own && used_.insert(place.path).second) return staged(std::move(place));
  Place link{Area::kStore, std::string(kKept) + '/' + tag_ + 'l' + std::to_string(count_++)};
  RH_TRY(const UniqueFd from, sys::dup(dir));
  RH_TRY(const int to, volume_.parent(link));
  RH_CHECK(sys::link_at(from.get(), name.c_str(), to, std::string(leaf_of(link.path)).c_str()));
  return staged(std::move(link));
}

Result<void> Stager::check_copy(int dir, const std::string& name, const Change& record) const {
  if (time_grain_ns_ == 1) {
    RH_CHECK(check_run_copy(dir, name, record, Leftovers::kNone));
    return {};
  }
  Change kept = record;
  kept.after->mtime_ns = on_grain(kept.after->mtime_ns, time_grain_ns_);
  RH_CHECK(check_run_copy(dir, name, kept, Leftovers::kNone));
  return {};
}

Result<void> Stager::copy_tree(int from, const std::string& name, int to, const std::string& new_name,
                               std::size_t change, const std::string& path) {
  const Change& record = changes_[change];
  const Attributes& after = *record.after;
  if (record.type != FileType::kDir && after.nlink > 1) {
    if (const auto known = links_.find(after.ino); known != links_.end()) {
      RH_TRY(const UniqueFd parent,
             open_below(volume_.store(), parent_of(known->second.path), O_PATH | O_DIRECTORY));
      return sys::link_at(parent.get(), std::string(leaf_of(known->second.path)).c_str(), to,
                          new_name.c_str());
    }
  }
  // The copy gets its attributes from the record, and its content is compared when it lies there.
  RH_CHECK(check_run_copy(from, name, record, Leftovers::kNone, Compared::kAttributes));
  RH_CHECK(copy_object(from, name, to, new_name, record.type, after));
  if (record.type != FileType::kDir) {
    return check_copy(to, new_name, record);
  }
  RH_TRY(const UniqueFd source, sys::open_beneath(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const UniqueFd target, sys::open_beneath(to, new_name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_CHECK(each_below(
      source.get(), change, path, [&](const std::string& child, std::size_t below) -> Result<void> {
        RH_CHECK(copy_tree(source.get(), child, target.get(), child, below, path + '/' + child));
        const Change& made = changes_[below];
        if (made.type != FileType::kDir && made.after->nlink > 1)
          links_.emplace(made.after->ino,
                         Place{Area::kStore, where_ + path.substr(top_.size()) + '/' + child});
        return {};
      }));
  // Its entries have moved its time.
  RH_CHECK(apply_settings(to, new_name, FileType::kDir, settings_of(after)));
  return check_copy(to, new_name, record);
}

Result<Staged> Stager::copy(const StageItem& item) {
  const Change& change = changes_[item.change];
  RH_TRY(const Place source, find_in_upper(item));
  RH_TRY(const UniqueFd from, open_below(upper_, parent_of(source.path), O_PATH | O_DIRECTORY));
  Place place{Area::kStore, std::string(kNew) + '/' + tag_ + std::to_string(count_++)};
  RH_TRY(const int to, volume_.parent(place));
  where_ = place.path;
  top_ = item.path;
  RH_CHECK(copy_tree(from.get(), std::string(leaf_of(source.path)), to, std::string(leaf_of(place.path)),
                     item.change, item.path));
  if (change.type != FileType::kDir && change.after->nlink > 1) links_.emplace(change.after->ino, place);
  return staged(std::move(place));
}

}  // namespace rehearse::promote
