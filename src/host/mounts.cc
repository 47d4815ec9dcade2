#include "host/mounts.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/escape.h"
#include "base/sys.h"

namespace rehearse::host {
namespace {

bool has_word(std::string_view list, std::string_view name) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (list.substr(at, end - at) == name) return true;
    at = end + 1;
  }
  return false;
}

/// Takes the next space-separated field off `line`.
std::string_view next_field(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool parse_line(std::string_view line, Mount& mount) {
  if (!parse_number(next_field(line), mount.id) || !parse_number(next_field(line), mount.parent))
    return false;
  const std::string_view device = next_field(line);
  const auto colon = device.find(':');
  if (colon == std::string_view::npos || !parse_number(device.substr(0, colon), mount.major) ||
      !parse_number(device.substr(colon + 1), mount.minor)) {
    return false;
  }
  mount.root = unescape_mountinfo(next_field(line));
  mount.mountpoint = unescape_mountinfo(next_field(line));
  mount.options = next_field(line);
  while (true) {
    if (line.empty()) return false;
    const std::string_view field = next_field(line);
    if (field == "-") break;  // optional fields end here
    if (field == "unbindable") mount.unbindable = true;
  }
  mount.fstype = unescape_mountinfo(next_field(line));
  mount.source = unescape_mountinfo(next_field(line));
  mount.super_options = unescape_mountinfo(next_field(line));
  return !mount.mountpoint.empty() && mount.mountpoint.front() == '/' && !mount.fstype.empty();
}

std::string place_key(int parent, std::string_view mountpoint) {
  std::string key = std::to_string(parent);
  key += ' ';
  return key.append(mountpoint);
}

}  // namespace

bool Mount::has_option(std::string_view name) const {
  return has_word(options, name);
}
bool Mount::has_super_option(std::string_view name) const {
  return has_word(super_options, name);
}
bool Mount::source_removed() const {
  return root.ends_with("//deleted");
}
bool Mount::read_only() const {
  return has_option("ro") || has_super_option("ro");
}

Result<std::vector<Mount>> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  mounts.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Mount mount;
    if (!parse_line(text.substr(0, end), mount)) {
      return fail("mountinfo line " + std::to_string(number) + " cannot be parsed", ExitCode::kDataError);
    }
    mounts.push_back(std::move(mount));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return mounts;
}

/// A path walk crosses, from the mount it is in, the first mount point it meets. So a mount is reached
/// exactly when walking to its own mount point ends in it.
std::vector<std::size_t> visible_mounts(const std::vector<Mount>& mounts) {
  std::unordered_map<std::string, std::size_t> at;  // (parent id, mount point) -> mount; the later one wins
  std::unordered_map<int, std::size_t> by_id;
  for (std::size_t i = 0; i < mounts.size(); ++i) by_id.emplace(mounts[i].id, i);
  std::size_t root = mounts.size();
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const Mount& mount = mounts[i];
    const bool inside = by_id.contains(mount.parent) && mount.parent != mount.id;
    if (mount.mountpoint == "/" && !inside && root == mounts.size()) root = i;
    if (inside) at[place_key(mount.parent, mount.mountpoint)] = i;
  }
  if (root == mounts.size()) {
    for (std::size_t i = 0; i < mounts.size() && root == mounts.size(); ++i) {
      if (mounts[i].mountpoint == "/") root = i;
    }
  }
  std::vector<std::size_t> visible;
  if (root == mounts.size()) return visible;
  const auto walk = [&](std::string_view path) {
    std::size_t in = root;
    const auto cross = [&](std::string_view prefix) {
      // Stacked mounts: crossing one may land below the next.
      for (std::size_t steps = 0; steps <= mounts.size(); ++steps) {
        const auto found = at.find(place_key(mounts[in].id, prefix));
        if (found == at.end()) return;
        in = found->second;
      }
    };
    cross("/");
    for (std::size_t slash = path.find('/', 1); path.size() > 1; slash = path.find('/', slash + 1)) {
      cross(path.substr(0, slash));
      if (slash == std::string_view::npos) break;
    }
    return in;
  };
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (walk(mounts[i].mountpoint) == i) visible.push_back(i);
  }
  // Parents come before children: a mount point is longer than those of the mounts it lies on.
  std::stable_sort(visible.begin(), visible.end(), [&](std::size_t a, std::size_t b) {
    const auto depth = [&](std::size_t m) {
      return mounts[m].mountpoint == "/"
                 ? 0
                 : std::count(mounts[m].mountpoint.begin(), mounts[m].mountpoint.end(), '/');
    };
    return depth(a) < depth(b);
  });
  return visible;
}

Result<std::vector<Mount>> read_mounts() {
  RH_TRY(const auto text, sys::read_file("/proc/self/mountinfo"));
  return parse_mountinfo(text);
}

}  // namespace rehearse::host
