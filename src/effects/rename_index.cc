#include "effects/rename_index.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <functional>

#include "base/path.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "effects/overlay.h"

namespace rehearse::effects {
namespace {

/// First pass over the upper: redirects, whiteouts, and whether anything may be a renamed file.
struct Scan {
  const Layer& layer;
  RenameIndex& index;
  std::vector<std::pair<std::string, std::string>> whiteouts;  ///< lower path of the directory, name
  std::unordered_map<std::uint64_t, std::string> new_files;    ///< origin inode -> upper path
  std::vector<std::pair<std::string, std::string>> in_place;  ///< directories at their old path: lower, upper
  bool look_for_files = false;

  struct Frame {
    SharedFd upper;
    std::string path;   ///< in the upper
    std::string lower;  ///< where its content comes from in the lower
    bool has_lower;
    SharedFd lower_fd = nullptr;  ///< of `lower`, if there is such a directory and files are looked for
    std::optional<Listing> lower_names = {};
    std::vector<std::string> directories = {};
  };

  /// A rename that is missed shows as a deletion and a creation: say that something was.
  void trouble(const std::string& path, const Error& error) {
    if (!look_for_files) index.trouble.push_back("renames below /" + path + ": " + error.what);
  }

  std::optional<Frame> open_frame(Frame frame) {
    const auto names = Listing::read(frame.upper->get());
    if (!names) {
      trouble(frame.path, names.error());
      return std::nullopt;
    }
    if (look_for_files && frame.has_lower) {
      if (auto lower = open_directory_beneath(layer.lower.get(), frame.lower)) {
        frame.lower_fd = *lower;
        frame.lower_names = Listing::read_to_look_up((*lower)->get(), names->size());
      }
    }
    for (const Listed& entry : *names) {
      if (entry.type == DT_DIR)
        frame.directories.emplace_back(entry.name);
      else
        visit_object(frame, entry);
    }
    frame.lower_names.reset();
    return frame;
  }

  std::optional<Frame> visit_directory(const Frame& frame, const std::string& name) {
    const std::string lower = join_path(frame.lower, name);
    auto child = open_subdirectory(*frame.upper, name);
    if (!child) {
      trouble(join_path(frame.path, name), child.error());
      return std::nullopt;
    }
    Frame below{*child, join_path(frame.path, name), lower, frame.has_lower};
    if (const auto redirect = overlay_xattr(frame.upper->get(), name.c_str(), kRedirectXattr)) {
      below.lower = redirect_target(*redirect, frame.lower);
      below.has_lower = !below.lower.empty();
      if (below.has_lower && below.lower == lower && !look_for_files) {
        in_place.emplace_back(below.lower, below.path);
      } else if (below.has_lower && below.lower != lower) {
        index.moved_from.insert(below.lower);
        index.directories.emplace(below.lower, below.path);
      }
    } else if (below.has_lower && overlay_xattr(frame.upper->get(), name.c_str(), kOpaqueXattr)) {
      // Its lower content is gone, and may have gone elsewhere.
      if (!look_for_files) whiteouts.emplace_back(lower, "");
      // Where the directory itself went elsewhere, this is a new one: a file at an old path was put there.
      below.has_lower = !look_for_files || !index.moved_from.contains(lower);
    }
    return open_frame(std::move(below));
  }

  static bool is_in_lower(const Frame& frame, const std::string& name) {
    if (frame.lower_names) return frame.lower_names->find(name) != nullptr;
    return frame.lower_fd && sys::stat_at(frame.lower_fd->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
  }

  /// Inode of the lower object that it is.
  [[nodiscard]] std::optional<std::uint64_t> came_from(const Frame& frame, const std::string& name) const {
    if (index.masks_moved) {
      if (const auto masked = placeholder_of(layer, frame.upper->get(), name.c_str())) {
        const auto st = stat_beneath(layer.lower.get(), *masked);
        return st ? std::optional<std::uint64_t>(st->st_ino) : std::nullopt;
      }
    }
    const auto origin = origin_stat(layer.lower.get(), frame.upper->get(), name.c_str());
    return origin ? std::optional<std::uint64_t>(origin->st_ino) : std::nullopt;
  }

  void visit_object(const Frame& frame, const Listed& entry) {
    if (look_for_files) {
      if (entry.type != DT_REG && entry.type != DT_LNK) return;
      const std::string name(entry.name);
      if (is_in_lower(frame, name)) return;
      if (const auto ino = came_from(frame, name)) new_files.emplace(*ino, join_path(frame.path, name));
    } else if (entry.type == DT_CHR && frame.has_lower) {
      std::string name(entry.name);
      const auto st = sys::stat_at(frame.upper->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
      if (st && is_whiteout(*st)) whiteouts.emplace_back(frame.lower, std::move(name));
    }
  }

  /// Depth first: one descriptor a level, two where files are looked for.
  void run() {
    std::vector<Frame> stack;
    auto root = open_directory_beneath(layer.upper.get(), "");
    if (!root) return trouble("", root.error());
    if (auto frame = open_frame({*root, "", "", true})) stack.push_back(std::move(*frame));
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.directories.empty()) {
        stack.pop_back();
        continue;
      }
      const std::string name = std::move(frame.directories.back());
      frame.directories.pop_back();
      if (auto below = visit_directory(frame, name)) stack.push_back(std::move(*below));
    }
  }

  /// What lies where it lay, but in a directory made anew, the old one having gone elsewhere: it went with
  /// that and came back.
  void find_returned() {
    const auto went = [this](std::string_view path) {
      for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos && slash != 0;
           slash = path.rfind('/', slash - 1)) {
        if (index.moved_from.contains(std::string(path.substr(0, slash)))) return true;
      }
      return false;
    };
    for (auto& [lower, path] : in_place) {
      if (!went(lower)) continue;
      index.moved_from.insert(lower);
      index.directories.emplace(std::move(lower), std::move(path));
    }
  }

  /// Where the upper has what lies at a lower path, by the directories that were renamed.
  [[nodiscard]] std::string upper_path(const std::string& lower) const {
    for (std::size_t slash = lower.rfind('/'); slash != std::string::npos && slash != 0;
         slash = lower.rfind('/', slash - 1)) {
      const auto renamed = index.directories.find(lower.substr(0, slash));
      if (renamed != index.directories.end()) return renamed->second + lower.substr(slash);
    }
    return lower;
  }

  [[nodiscard]] bool is_moved(const std::string& masked) const {
    for (const auto& [directory, name] : whiteouts) {
      if (is_within(masked, name.empty() ? directory : join_path(directory, name))) return true;
    }
    // Something else may stand there by now, or above.
    const std::string path = upper_path(masked);
    const auto st = stat_beneath(layer.upper.get(), path);
    if (!st) return st.error().err == ENOTDIR;
    if (!S_ISREG(st->st_mode) || st->st_nlink > 1) return true;
    const auto slash = path.rfind('/');
    const auto parent =
        open_directory_beneath(layer.upper.get(), slash == std::string::npos ? "" : path.substr(0, slash));
    const std::string leaf = slash == std::string::npos ? path : path.substr(slash + 1);
    return !parent || placeholder_of(layer, (*parent)->get(), leaf.c_str()) != masked;
  }

  /// Looks for the origin of a new file among what was deleted.
  void match(const std::string& path, const std::string& name) {
    const std::string full = name.empty() ? path : join_path(path, name);
    if (index.moved_from.contains(full)) return;
    const auto st = stat_beneath(layer.lower.get(), full);
    if (!st) return;
    if (!S_ISDIR(st->st_mode)) {
      const auto found = new_files.find(st->st_ino);
      if (found == new_files.end()) return;
      index.files.emplace(found->second, full);
      index.moved_from.insert(full);
      new_files.erase(found);
      return;
    }
    const auto directory = open_directory_beneath(layer.lower.get(), full);
    if (!directory) return;
    const auto names = Listing::read((*directory)->get());
    if (!names) return;
    for (const Listed& entry : *names) {
      if (new_files.empty()) return;
      // An inode number in the listing spares a stat of everything that cannot match.
      if (entry.type == DT_DIR || new_files.contains(entry.ino)) match(full, std::string(entry.name));
    }
  }
};

}  // namespace

std::optional<std::string> placeholder_of(const Layer& layer, int upper_dir, const char* name) {
  if (layer.mask_handles.empty()) return std::nullopt;
  const auto key = origin_key(upper_dir, name);
  const auto found = key ? layer.mask_handles.find(*key) : layer.mask_handles.end();
  if (found == layer.mask_handles.end()) return std::nullopt;
  return found->second;
}

std::string redirect_target(const std::string& redirect, const std::string& parent) {
  // What the kernel writes is a path from the layer's root, or one name beside the renamed directory.
  if (redirect.empty() || redirect.find('\0') != std::string::npos) return {};
  if (redirect.front() != '/' && redirect.find('/') != std::string::npos) return {};
  std::string target = redirect.front() == '/' ? redirect.substr(1) : join_path(parent, redirect);
  // Nor does it have such components; a forged one must not lead anywhere.
  for (std::size_t at = 0; at <= target.size();) {
    const std::size_t end = std::min(target.find('/', at), target.size());
    const std::string_view part = std::string_view(target).substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return {};
    at = end + 1;
  }
  return target;
}

RenameIndex RenameIndex::build(const Layer& layer) {
  RenameIndex index;
  Scan scan{layer, index, {}, {}, {}, false};
  scan.run();
  scan.find_returned();
  index.masks_moved =
      std::ranges::any_of(layer.masked, [&](const std::string& masked) { return scan.is_moved(masked); });
  if (scan.whiteouts.empty()) return index;  // nothing is gone, so no file has moved
  scan.look_for_files = true;
  scan.run();
  for (const auto& [directory, name] : scan.whiteouts) {
    if (scan.new_files.empty()) break;
    scan.match(directory, name);
  }
  return index;
}

}  // namespace rehearse::effects
