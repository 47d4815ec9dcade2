#include "promote/scratch_layer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "promote/object_writer.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::ChangeKind;
using effects::FileType;

Result<UniqueFd> memory() {
  RH_TRY(const UniqueFd context, sys::fs_open("tmpfs"));
  RH_CHECK(sys::fs_set_string(context.get(), "mode", "0755"));
  RH_CHECK(sys::fs_create(context.get()));
  return sys::fs_mount(context.get(), 0);
}

/// Of an object whose successor is of another type the record does not say what it was.
FileType type_before(const Change& change, bool holds_others) {
  if (change.kind != ChangeKind::kType) return change.type;
  const Attributes& before = *change.before;
  if (holds_others) return FileType::kDir;
  if (!before.target.empty()) return FileType::kSymlink;
  if (before.sha256) return FileType::kFile;
  return change.type == FileType::kDir ? FileType::kFifo : FileType::kDir;
}

}  // namespace

Result<std::vector<Change>> portable(std::span<const Change> changes) {
  RH_TRY(const UniqueFd probe, memory());
  const bool user = ::setxattr(sys::fd_path(probe.get()).c_str(), "user.probe", "1", 1, 0) == 0;
  std::vector<Change> result(changes.begin(), changes.end());
  for (Change& change : result) {
    for (auto* side : {&change.before, &change.after}) {
      if (!*side) continue;
      (*side)->flags = 0;
      if (!user)
        std::erase_if((*side)->xattrs, [](const auto& one) { return one.first.starts_with("user."); });
    }
  }
  return result;
}

Result<ScratchLayer> ScratchLayer::make(std::span<const Change> changes, const Plan& plan,
                                        const LayerPlan& layer, const std::string& run) {
  ScratchLayer scratch(changes, plan, layer);
  RH_TRY(UniqueFd root, memory());
  RH_TRY(scratch.volume_, Volume::scratch(std::move(root), layer.mountpoint));
  RH_CHECK(scratch.build());
  RH_CHECK(scratch.volume_.make_store(run));
  for (const char* name : {kKept, kNew}) RH_CHECK(sys::mkdir_at(scratch.volume_.store(), name, 0700));
  return scratch;
}

Result<void> ScratchLayer::make_parents(const Place& place) {
  if (volume_.parent(place)) return {};
  const Place parent{place.area, std::string(parent_of(place.path))};
  RH_CHECK(make_parents(parent));
  RH_TRY(const int dir, volume_.parent(parent));
  return sys::mkdir_at(dir, std::string(leaf_of(parent.path)).c_str(), 0755);
}

Result<void> ScratchLayer::make_object(const Place& place, FileType type, const Attributes& attributes,
                                       std::unordered_map<std::uint64_t, Place>& links) {
  RH_CHECK(make_parents(place));
  RH_TRY(const int dir, volume_.parent(place));
  const std::string name(leaf_of(place.path));
  if (type != FileType::kDir && attributes.nlink > 1) {
    const auto [known, fresh] = links.emplace(attributes.ino, place);
    if (!fresh) {
      RH_TRY(const UniqueFd to, sys::dup(dir));
      RH_TRY(const int from, volume_.parent(known->second));
      return sys::link_at(from, std::string(leaf_of(known->second.path)).c_str(), to.get(), name.c_str());
    }
  }
  return make_hollow(dir, name, type, attributes);
}

Result<void> ScratchLayer::build() {
  std::vector<std::pair<std::string, std::size_t>> objects;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    if (changes_[i].layer != layer_.layer) continue;
    if (changes_[i].after) now_.emplace(below_mount(changes_[i].path, layer_.mountpoint), i);
    if (changes_[i].before) objects.emplace_back(plan_.origins[i], i);
  }
  // What holds others comes before them.
  std::sort(objects.begin(), objects.end());
  std::unordered_map<std::uint64_t, Place> links;
  std::vector<std::pair<Place, std::size_t>> directories;
  for (std::size_t n = 0; n < objects.size(); ++n) {
    const auto& [path, i] = objects[n];
    const bool holds = n + 1 < objects.size() && objects[n + 1].first.starts_with(path + '/');
    const FileType type = type_before(changes_[i], holds);
    const Place place{Area::kHost, path};
    if (!path.empty()) RH_CHECK(make_object(place, type, *changes_[i].before, links));
    if (type == FileType::kDir) directories.emplace_back(place, i);
  }
  // A directory in which something is to be put has a record only if that shows in its own time.
  for (const Step& step : layer_.steps) {
    if (step.kind == OperationKind::kAttributes && step.change == Step::kNone && !step.origin.empty())
      RH_CHECK(make_parents({Area::kHost, step.origin + "/x"}));
  }
  return set_times(directories, false);
}

/// What was made in a directory has moved its time.
Result<void> ScratchLayer::set_times(const std::vector<std::pair<Place, std::size_t>>& directories,
                                     bool after) {
  for (auto one = directories.rbegin(); one != directories.rend(); ++one) {
    const auto& [place, i] = *one;
    const Settings wanted = settings_of(after ? *changes_[i].after : *changes_[i].before);
    RH_TRY(const int dir, place.path.empty() ? Result<int>(volume_.area(place.area)) : volume_.parent(place));
    RH_CHECK(apply_settings(dir, std::string(leaf_of(place.path)), FileType::kDir, wanted));
  }
  return {};
}

Result<void> ScratchLayer::find_facts(std::vector<std::optional<Facts>>& facts) {
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    if (changes_[i].layer != layer_.layer || !changes_[i].before || !plan_.taken[i]) continue;
    RH_TRY(const auto st, volume_.find({Area::kHost, plan_.origins[i]}));
    if (st) facts[i] = facts_of(*st);
  }
  return {};
}

/// The object and, of a directory, everything that is to be below it.
Result<void> ScratchLayer::stage_tree(const Place& place, std::size_t change) {
  const std::string top(below_mount(changes_[change].path, layer_.mountpoint));
  RH_CHECK(make_object(place, changes_[change].type, *changes_[change].after, staged_links_));
  if (changes_[change].type != FileType::kDir) return {};
  std::vector<std::pair<Place, std::size_t>> directories = {{place, change}};
  for (auto below = now_.lower_bound(top + '/'); below != now_.end() && below->first.starts_with(top + '/');
       ++below) {
    const Place inside{place.area, place.path + below->first.substr(top.size())};
    const Change& record = changes_[below->second];
    RH_CHECK(make_object(inside, record.type, *record.after, staged_links_));
    if (record.type == FileType::kDir) directories.emplace_back(inside, below->second);
  }
  return set_times(directories, true);
}

Result<std::vector<Staged>> ScratchLayer::stage(const std::string& tag) {
  std::vector<Staged> staged;
  for (const StageItem& item : layer_.stages) {
    const Change& change = changes_[item.change];
    Place place{Area::kStore, std::string(kNew) + '/' + tag + std::to_string(staged.size())};
    if (item.how == StageItem::How::kDirectory) {
      RH_CHECK(make_object(place, FileType::kDir, *change.after, staged_links_));
    } else {
      RH_CHECK(stage_tree(place, item.change));
    }
    RH_TRY(const auto st, volume_.find(place));
    if (!st) return fail("a staged object is gone");
    staged.push_back({std::move(place), facts_of(*st)});
  }
  return staged;
}

Result<std::map<std::string, std::string>> ScratchLayer::print() {
  std::map<std::string, std::string> facts;
  std::vector<std::string> waiting = {""};
  volume_.forget_parents();
  while (!waiting.empty()) {
    const std::string path = std::move(waiting.back());
    waiting.pop_back();
    RH_TRY(const auto st, volume_.find({Area::kHost, path}));
    if (!st) return fail(path + " vanished");
    const bool directory = S_ISDIR(st->st_mode);
    RH_TRY(const int dir, path.empty() ? Result<int>(volume_.root()) : volume_.parent({Area::kHost, path}));
    const std::string name(leaf_of(path));
    RH_TRY(const Settings settings, read_settings(dir, name, FileType::kFifo));  // without inode flags
    std::string& text = facts[path];
    text = fmt::format("{} {:o} {}:{} {} {} {} {}", st->st_ino, st->st_mode, st->st_uid, st->st_gid,
                       directory ? 0 : st->st_size, to_ns(st->st_mtim), directory ? 0 : st->st_nlink,
                       st->st_rdev);
    for (const auto& [key, value] : settings.xattrs) text += ' ' + key + '=' + hex(value);
    if (S_ISLNK(st->st_mode)) {
      RH_TRY(const std::string target, sys::read_link_at(dir, name.c_str()));
      text += " -> " + target;
    }
    if (!directory) continue;
    RH_TRY(const UniqueFd opened, open_below(volume_.root(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(opened.get()));
    for (const effects::Listed& entry : names) {
      if (path.empty() && entry.name == kStoreDirectory) continue;
      waiting.push_back(path.empty() ? std::string(entry.name) : path + '/' + std::string(entry.name));
    }
  }
  return facts;
}

}  // namespace rehearse::promote
