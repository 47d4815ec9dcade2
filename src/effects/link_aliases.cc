#include "effects/link_aliases.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

#include "base/sys.h"
#include "effects/directory.h"
#include "effects/overlay.h"
#include "effects/rename_index.h"

namespace rehearse::effects {
namespace {

std::string absolute(const Layer& layer, const std::string& path) {
  return layer.mountpoint == "/" ? '/' + path : layer.mountpoint + '/' + path;
}

/// True if the merged view still takes `path` from the lower: no component of it was replaced in the upper.
bool shows_lower(const Layer& layer, const std::string& path) {
  SharedFd at;
  if (auto root = open_directory_beneath(layer.upper.get(), "")) at = *root;
  for (std::size_t start = 0; at && start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string name = path.substr(start, end - start);
    const auto st = sys::stat_at(at->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
    if (!st) return st.error().err == ENOENT;
    if (end == path.size() || !S_ISDIR(st->st_mode)) return false;
    if (overlay_xattr(at->get(), name.c_str(), kOpaqueXattr) ||
        overlay_xattr(at->get(), name.c_str(), kRedirectXattr))
      return false;
    auto child = open_subdirectory(*at, name);
    if (!child) return false;
    at = *child;
    start = end + 1;
  }
  return false;
}

}  // namespace

void LinkAliases::note(const Change& change) {
  if (!change.before || change.before->nlink < 2 || change.type == FileType::kDir) return;
  Group& group = groups_[change.before->ino];
  group.names.push_back(change.from.empty() ? change.path : change.from);
  const bool in_place = change.after && change.after->link_group && change.kind != ChangeKind::kType;
  if (in_place && change.kind != ChangeKind::kIdentical && !group.sample.after) group.sample = change;
}

void LinkAliases::complete(const Layer& layer, const std::function<bool(Change)>& add) {
  std::size_t wanted = 0;
  for (auto group = groups_.begin(); group != groups_.end();) {
    const bool open =
        group->second.sample.after && group->second.sample.before->nlink > group->second.names.size();
    group = open ? std::next(group) : groups_.erase(group);
    wanted += open ? 1 : 0;
  }
  if (wanted == 0) return;
  std::vector<Change> found;
  std::vector<std::string> directories = {""};
  while (!directories.empty()) {
    const std::string path = std::move(directories.back());
    directories.pop_back();
    const auto directory = open_directory_beneath(layer.lower.get(), path);
    if (!directory) continue;
    const auto names = list_directory((*directory)->get());
    if (!names) continue;
    for (const Listed& entry : *names) {
      const std::string full = join_path(path, entry.name);
      if (entry.type == DT_DIR) {
        if (std::find(layer.hidden.begin(), layer.hidden.end(), full) == layer.hidden.end())
          directories.push_back(full);
        continue;
      }
      const auto group = groups_.find(entry.ino);
      if (group == groups_.end()) continue;
      const std::string shown = absolute(layer, full);
      const auto& known = group->second.names;
      if (std::find(known.begin(), known.end(), shown) != known.end() || !shows_lower(layer, full)) continue;
      Change change = group->second.sample;
      change.path = shown;
      change.from.clear();
      if (change.kind == ChangeKind::kRenamed) change.kind = ChangeKind::kModified;
      change.also.emplace_back("hardlink");
      found.push_back(std::move(change));
    }
  }
  std::sort(found.begin(), found.end(), [](const Change& a, const Change& b) { return a.path < b.path; });
  for (Change& change : found) {
    if (!add(std::move(change))) return;
  }
}

}  // namespace rehearse::effects
