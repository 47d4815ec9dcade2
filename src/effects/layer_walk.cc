#include "effects/layer_walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/overlay.h"

namespace rehearse::effects {
namespace {

std::string join_absolute(const std::string& directory, const std::string& name) {
  return directory == "/" ? '/' + name : directory + '/' + name;
}

bool is_directory(const Pair::Side& side) {
  return side.st && S_ISDIR(side.st->st_mode);
}

}  // namespace

LayerWalk::LayerWalk(const Layer& layer, std::function<bool(Pair)> visit,
                     std::function<void(std::string)> trouble)
    : layer_(layer),
      visit_(std::move(visit)),
      trouble_(std::move(trouble)),
      renames_(RenameIndex::build(layer)) {
  for (const std::string& line : renames_.trouble) trouble_(line);
}

void LayerWalk::run() {
  Frame root;
  root.path = layer_.mountpoint;
  auto upper = open_directory_beneath(layer_.upper.get(), "");
  auto lower = open_directory_beneath(layer_.lower.get(), "");
  if (!upper || !lower) {
    trouble_("layer of " + layer_.mountpoint + " cannot be opened");
    return;
  }
  root.upper = *upper;
  root.lower = *lower;
  // The layer's own root: compared like any directory.
  const auto before = sys::stat_fd(root.lower->get());
  const auto after = sys::stat_fd(root.upper->get());
  if (before && after)
    emit({layer_.mountpoint, "", "", Pair::Side{root.lower, ".", *before},
          Pair::Side{root.upper, ".", *after}});
  if (!open_frame(std::move(root))) return;
  while (!stack_.empty() && !stopped_) {
    Frame& frame = stack_.back();
    if (frame.next == frame.names.size()) {
      stack_.pop_back();
      continue;
    }
    const Listed entry = frame.names[frame.next++];
    visit_name(frame, entry);
    // Frames opened by this name are walked before its next sibling, the first pushed first.
    for (auto pushed = pushed_.rbegin(); pushed != pushed_.rend(); ++pushed)
      stack_.push_back(std::move(*pushed));
    pushed_.clear();
  }
}

bool LayerWalk::open_frame(Frame frame) {
  const auto add = [&](const SharedFd& directory) {
    auto names = Listing::read(directory->get());
    if (!names) {
      trouble_(frame.path + ": " + names.error().what);
      return;
    }
    frame.names.merge(std::move(*names));
  };
  if (frame.mode != Mode::kDeleted) add(frame.upper);
  if (frame.mode == Mode::kMerged)
    frame.lower_names = Listing::read_to_look_up(frame.lower->get(), frame.names.size());
  if (frame.mode == Mode::kDeleted || frame.mode == Mode::kReplaced) add(frame.lower);
  if (stack_.empty()) {
    stack_.push_back(std::move(frame));
  } else {
    pushed_.push_back(std::move(frame));
  }
  return true;
}

std::string LayerWalk::host_path(const Frame& frame, const std::string& name) const {
  return join_absolute(layer_.mountpoint, join_path(frame.lower_path, name));
}

void LayerWalk::emit(Pair pair) {
  if (!stopped_ && !visit_(std::move(pair))) stopped_ = true;
}

bool LayerWalk::is_hidden(const std::string& lower_path) const {
  return std::find(layer_.hidden.begin(), layer_.hidden.end(), lower_path) != layer_.hidden.end();
}

bool LayerWalk::is_elsewhere(const Frame& frame, const std::string& name) const {
  if (renames_.moved_from.empty() && layer_.hidden.empty()) return false;
  const std::string lower_path = join_path(frame.lower_path, name);
  return renames_.moved_from.contains(lower_path) || is_hidden(lower_path);
}

bool LayerWalk::is_masked(const std::string& lower_path) const {
  return std::find(layer_.masked.begin(), layer_.masked.end(), lower_path) != layer_.masked.end();
}

std::optional<Pair::Side> LayerWalk::lower_side(const Frame& frame, const std::string& name) const {
  if (!frame.lower) return std::nullopt;
  const Listed* listed = nullptr;
  if (frame.lower_names) {
    listed = frame.lower_names->find(name);
    if (listed == nullptr) return std::nullopt;
  }
  // What moved away is not here any more; what is hidden never was.
  if (is_elsewhere(frame, name)) return std::nullopt;
  if (listed != nullptr && listed->type == DT_REG) return Pair::Side{frame.lower, name, std::nullopt};
  const auto st = sys::stat_at(frame.lower->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (!st) return std::nullopt;
  return Pair::Side{frame.lower, name, *st};
}

void LayerWalk::visit_name(const Frame& frame, const Listed& entry) {
  const std::string name(entry.name);
  if (frame.mode == Mode::kDeleted) {
    if (entry.type != DT_REG)
      visit_deleted(frame, name);
    else if (!is_elsewhere(frame, name))
      emit_deleted(frame, {frame.lower, name, std::nullopt});
    return;
  }
  if (entry.type == DT_REG && frame.mode != Mode::kReplaced) {
    visit_object(frame, {frame.upper, name, std::nullopt});
    return;
  }
  const auto st = sys::stat_at(frame.upper->get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (!st) {
    if (frame.mode == Mode::kReplaced && st.error().err == ENOENT) {
      visit_deleted(frame, name);
    } else {
      trouble_(join_absolute(frame.path, name) + ": " + st.error().what);
    }
    return;
  }
  if (is_whiteout(*st)) {
    visit_deleted(frame, name);
  } else if (S_ISDIR(st->st_mode)) {
    visit_directory(frame, name, *st);
  } else {
    visit_object(frame, {frame.upper, name, *st});
  }
}

void LayerWalk::visit_deleted(const Frame& frame, const std::string& name) {
  auto side = lower_side(frame, name);
  if (!side) return;
  const bool directory = is_directory(*side);
  emit_deleted(frame, std::move(*side));
  if (directory) delete_below(frame, name);
}

void LayerWalk::emit_deleted(const Frame& frame, Pair::Side side) {
  Pair pair;
  // Under the name that it would have below a renamed directory it stood nowhere.
  pair.path = host_path(frame, side.name);
  pair.masked = is_masked(join_path(frame.lower_path, side.name));
  pair.before = std::move(side);
  emit(std::move(pair));
}

void LayerWalk::delete_below(const Frame& frame, const std::string& name) {
  auto lower = open_subdirectory(*frame.lower, name);
  if (!lower) {
    trouble_(host_path(frame, name) + ": " + lower.error().what);
    return;
  }
  Frame below;
  below.mode = Mode::kDeleted;
  below.lower = *lower;
  below.path = host_path(frame, name);
  below.lower_path = join_path(frame.lower_path, name);
  open_frame(std::move(below));
}

void LayerWalk::visit_directory(const Frame& frame, const std::string& name, const struct stat& st) {
  auto upper = open_subdirectory(*frame.upper, name);
  if (!upper) {
    trouble_(join_absolute(frame.path, name) + ": " + upper.error().what);
    return;
  }
  Frame below;
  below.upper = *upper;
  below.path = join_absolute(frame.path, name);
  below.upper_path = join_path(frame.upper_path, name);
  below.lower_path = join_path(frame.lower_path, name);
  Pair pair;
  pair.path = below.path;
  pair.after = Pair::Side{frame.upper, name, st};
  const auto old = lower_side(frame, name);

  if (const auto redirect = overlay_xattr(frame.upper->get(), name.c_str(), kRedirectXattr)) {
    // Moved here from elsewhere. What stood here before is gone.
    const std::string source = redirect_target(*redirect, frame.lower_path);
    const auto slash = source.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : source.substr(0, slash);
    const std::string leaf = slash == std::string::npos ? source : source.substr(slash + 1);
    auto parent_fd = source.empty() ? Result<SharedFd>(fail("malformed redirect"))
                                    : open_directory_beneath(layer_.lower.get(), parent);
    auto lower = parent_fd ? open_subdirectory(**parent_fd, leaf) : parent_fd;
    const auto source_st =
        lower ? sys::stat_fd((*lower)->get()) : Result<struct stat>(fail("malformed redirect"));
    if (source_st) {
      // Moved away and back: an ordinary directory, unless its parent went elsewhere and this is a new one.
      const bool moved = source != below.lower_path || !frame.lower;
      if (moved) pair.from = join_absolute(layer_.mountpoint, source);
      pair.before = Pair::Side{*parent_fd, leaf, *source_st};
      if (old && moved) visit_deleted(frame, name);
      emit(std::move(pair));
      below.lower = *lower;
      below.lower_path = source;
      open_frame(std::move(below));
      return;
    }
    trouble_(below.path + ": its origin \"" + *redirect + "\" cannot be found below");
  }
  if (!old) {
    below.mode = Mode::kCreated;
  } else if (!is_directory(*old)) {
    pair.before = *old;
    pair.host = host_path(frame, name);
    below.mode = Mode::kCreated;
  } else {
    auto lower = open_subdirectory(*frame.lower, name);
    if (!lower) {
      trouble_(below.path + ": " + lower.error().what);
      return;
    }
    below.lower = *lower;
    const auto opaque = overlay_xattr(frame.upper->get(), name.c_str(), kOpaqueXattr);
    // "x" marks a directory that holds whiteouts in another form [6.7]; only "y" hides what is below. What is
    // made below such a directory has no mark of its own: nothing of the lower shows there anyway.
    pair.replaced = frame.mode == Mode::kReplaced || (opaque && *opaque == "y");
    below.mode = pair.replaced ? Mode::kReplaced : Mode::kMerged;
    pair.before = *old;
    pair.host = host_path(frame, name);
  }
  emit(std::move(pair));
  open_frame(std::move(below));
}

void LayerWalk::visit_object(const Frame& frame, Pair::Side side) {
  const std::string name = side.name;
  Pair pair;
  pair.path = join_absolute(frame.path, name);
  pair.after = std::move(side);
  pair.masked = is_masked(join_path(frame.lower_path, name)) ||
                (renames_.masks_moved && placeholder_of(layer_, frame.upper->get(), name.c_str()));
  if (auto old = lower_side(frame, name)) {
    const bool directory = is_directory(*old);
    pair.before = std::move(old);
    pair.host = host_path(frame, name);
    emit(std::move(pair));
    if (directory) delete_below(frame, name);
    return;
  }
  if (const auto renamed = renames_.files.find(join_path(frame.upper_path, name));
      renamed != renames_.files.end()) {
    const std::string& source = renamed->second;
    const auto slash = source.rfind('/');
    const std::string leaf = slash == std::string::npos ? source : source.substr(slash + 1);
    auto parent =
        open_directory_beneath(layer_.lower.get(), slash == std::string::npos ? "" : source.substr(0, slash));
    const auto source_st = parent ? sys::stat_at((*parent)->get(), leaf.c_str(), AT_SYMLINK_NOFOLLOW)
                                  : Result<struct stat>(fail("gone"));
    if (source_st) {
      pair.from = join_absolute(layer_.mountpoint, source);
      pair.before = Pair::Side{*parent, leaf, *source_st};
      pair.masked = pair.masked || is_masked(source);
    }
  }
  emit(std::move(pair));
}

}  // namespace rehearse::effects
