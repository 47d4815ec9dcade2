#include "effects/link_aliases.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include "base/path.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"
#include "effects/overlay.h"

namespace rehearse::effects {
namespace {

constexpr std::size_t kMostLikely = 64;  ///< directories that are looked through first

std::string absolute(const Layer& layer, const std::string& path) {
  return layer.mountpoint == "/" ? '/' + path : layer.mountpoint + '/' + path;
}

/// Where the merged view shows the lower's object at `path`, relative to the layer; nothing if it is not
/// shown any more: a component of it was replaced or removed in the upper.
std::optional<std::string> shown_at(const Layer& layer, const RenameIndex& renames, const std::string& path) {
  // The nearest parent that was renamed takes what is below it along.
  std::string head;
  std::size_t start = 0;
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash != 0;
       slash = path.rfind('/', slash - 1)) {
    const auto moved = renames.directories.find(path.substr(0, slash));
    if (moved == renames.directories.end()) continue;
    head = moved->second;
    start = slash + 1;
    break;
  }
  const std::string shown = start == 0 ? path : join_path(head, path.substr(start));
  SharedFd at;
  if (auto top = open_directory_beneath(layer.upper.get(), head)) at = *top;
  while (at && start < path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string name = path.substr(start, end - start);
    const auto st = sys::stat_at(at->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
    if (!st) return st.error().err == ENOENT ? std::optional(shown) : std::nullopt;
    if (end == path.size() || !S_ISDIR(st->st_mode)) return std::nullopt;
    if (overlay_xattr(at->get(), name.c_str(), kOpaqueXattr) ||
        overlay_xattr(at->get(), name.c_str(), kRedirectXattr))
      return std::nullopt;
    auto child = open_subdirectory(*at, name);
    if (!child) return std::nullopt;
    at = *child;
    start = end + 1;
  }
  return std::nullopt;
}

/// The directory of the host's `path`, relative to the layer; nothing if it is not below it.
std::optional<std::string> directory_of(const Layer& layer, const std::string& path) {
  if (path.empty() || !is_within(path, layer.mountpoint)) return std::nullopt;
  const std::size_t begin = layer.mountpoint == "/" ? 1 : layer.mountpoint.size() + 1;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash < begin ? std::string() : path.substr(begin, slash - begin);
}

/// The host has removed the directory since its name was read, or put something else in its place.
bool is_gone(int err) {
  return err == ENOENT || err == ENOTDIR || err == ELOOP;
}

}  // namespace

void LinkAliases::note(const Change& change, const std::optional<struct stat>& origin) {
  if (change.before && change.before->nlink > 1 && change.before->link_group) {
    Group& group = groups_[change.before->ino];
    ++group.recorded;
    if (group.path.empty()) group.path = change.from.empty() ? change.path : change.from;
  }
  if (!origin) return;
  const bool in_place = change.before && change.before->ino == origin->st_ino;
  Group& group = groups_[origin->st_ino];
  const bool untouched = change.kind == ChangeKind::kIdentical && change.also.empty();
  (in_place && untouched ? group.only_opened : group.changed) = true;
}

/// Objects of the index that may have names without a record.
LinkAliases::Objects LinkAliases::incomplete(const Layer& layer,
                                             const std::function<void(std::string)>& trouble) const {
  Objects objects;
  if (!layer.index.valid()) return objects;
  const auto names = Listing::read(layer.index.get());
  if (!names) {
    trouble(layer.mountpoint + ": hard links: " + names.error().what);
    return objects;
  }
  for (const Listed& entry : *names) {
    const std::string name(entry.name);
    const auto st = sys::stat_at(layer.index.get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
    if (!st || S_ISDIR(st->st_mode) || is_whiteout(*st)) continue;
    const auto origin = origin_stat(layer.lower.get(), layer.index.get(), name.c_str());
    if (!origin) continue;
    const auto noted = groups_.find(origin->st_ino);
    const Group group = noted == groups_.end() ? Group{} : noted->second;
    if (group.recorded >= origin->st_nlink || (group.only_opened && !group.changed)) continue;
    std::optional<struct stat> known = *st;
    auto after = read_attributes(layer.index.get(), name.c_str(), known, Content::kHash, Store::kUpper);
    if (!after) {
      trouble(layer.mountpoint + ": a hard-linked object: " + after.error().what);
      continue;
    }
    after->nlink = merged_nlink(layer.index.get(), name.c_str(), *st, origin);
    after->link_group = after->nlink > 1 ? std::optional(st->st_ino) : std::nullopt;
    objects.emplace(origin->st_ino, Object{name, std::move(*after), origin->st_nlink, group.path});
  }
  return objects;
}

void LinkAliases::complete(const Layer& layer, const RenameIndex& renames,
                           const std::function<bool(const LinkAlias&)>& visit,
                           const std::function<void(std::string)>& trouble) const {
  const Objects objects = incomplete(layer, trouble);
  if (objects.empty()) return;
  std::vector<LinkAlias> found;
  scan(layer, renames, objects, found, trouble);
  std::sort(found.begin(), found.end(),
            [](const LinkAlias& a, const LinkAlias& b) { return a.path < b.path; });
  for (const LinkAlias& alias : found) {
    if (!visit(alias)) return;
  }
}

void LinkAliases::scan(const Layer& layer, const RenameIndex& renames, const Objects& objects,
                       std::vector<LinkAlias>& found, const std::function<void(std::string)>& trouble) {
  std::uint64_t missing = 0;  // names
  std::vector<std::string> directories = {""};
  // Names of one object mostly lie side by side.
  std::unordered_set<std::string> likely;
  for (const auto& [ino, object] : objects) {
    missing += object.names;
    if (auto place = directory_of(layer, object.path); place && likely.size() < kMostLikely)
      if (likely.insert(*place).second) directories.push_back(std::move(*place));
  }
  std::size_t ahead = likely.size();
  while (!directories.empty() && missing != 0) {
    const std::string path = std::move(directories.back());
    directories.pop_back();
    const bool looks_ahead = ahead > 0;
    const bool again = !looks_ahead && likely.contains(path);
    if (looks_ahead) --ahead;
    const auto directory = open_directory_beneath(layer.lower.get(), path);
    const auto names = directory ? Listing::read((*directory)->get())
                                 : Result<Listing>(tl::make_unexpected(directory.error()));
    if (!names) {
      if (!is_gone(names.error().err)) trouble("hard links below /" + path + ": " + names.error().what);
      continue;
    }
    for (const Listed& entry : *names) {
      const std::string name(entry.name);
      const std::string full = join_path(path, name);
      if (entry.type == DT_DIR) {
        if (!looks_ahead && std::find(layer.hidden.begin(), layer.hidden.end(), full) == layer.hidden.end())
          directories.push_back(full);
        continue;
      }
      const auto object = objects.find(entry.ino);
      if (object == objects.end() || again) continue;
      if (missing > 0) --missing;
      const auto shown = shown_at(layer, renames, full);
      if (!shown) continue;
      LinkAlias alias;
      alias.path = absolute(layer, *shown);
      alias.host = absolute(layer, full);
      const auto st = sys::stat_at((*directory)->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
      if (!st || st->st_ino != entry.ino) continue;
      alias.masked = std::find(layer.masked.begin(), layer.masked.end(), full) != layer.masked.end();
      alias.directory = *directory;
      alias.name = name;
      alias.st = *st;
      alias.after = object->second.after;
      alias.object = object->second.name;
      found.push_back(std::move(alias));
    }
  }
}

}  // namespace rehearse::effects
