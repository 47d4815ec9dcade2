#include "promote/site.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/sys.h"
#include "promote/birth.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

constexpr std::uint64_t kDirectory = O_PATH | O_DIRECTORY | O_NOFOLLOW;
constexpr std::size_t kMostOpened = 2;  ///< those of one operation
constexpr int kMostSteps = 1'000'000;

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Upwards from `directory` one comes to `root`: it has not been moved out of what the mount shows.
Result<bool> is_within(int directory, int root) {
  RH_TRY(const struct stat top, sys::stat_fd(root));
  RH_TRY(struct stat at, sys::stat_fd(directory));
  RH_TRY(UniqueFd here, sys::dup(directory));
  for (int step = 0; step < kMostSteps && !is_same(at, top); ++step) {
    UniqueFd above(::openat(here.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!above.valid()) return sys::last_error("open", "..");
    RH_TRY(const struct stat st, sys::stat_fd(above.get()));
    if (is_same(st, at)) return false;
    at = st;
    here = std::move(above);
  }
  return is_same(at, top);
}

}  // namespace

void Site::forget() {
  opened_.clear();
  for (std::uint32_t v = 0; v < parents_.size(); ++v) forget_parents(v);
}

void Site::forget_parents(std::uint32_t volume) {
  volumes_[volume].forget_parents();
  for (ParentCache& cache : parents_[volume]) cache.forget();
}

Result<int> Site::parent(const Operation& operation, const Place& place) {
  ParentCache& cache = parents_[operation.volume][static_cast<std::size_t>(place.area)];
  return cache.open(volume(operation).area(place.area), parent_of(place.path));
}

std::string Site::shown(const Operation& operation, End end) const {
  return volumes_[operation.volume].shown(place_of(operation, end));
}

Result<UniqueFd> Site::open_by_path(const Operation& operation, const Directory& directory,
                                    std::string_view path) {
  RH_TRY(UniqueFd found, open_below(volume(operation).root(), path, kDirectory));
  RH_TRY(const struct stat st, sys::stat_fd(found.get()));
  if (st.st_ino != directory.ino)
    return fail_for(ENOENT, "another directory has taken its place", ExitCode::kStale, "rehearse again");
  return found;
}

Result<UniqueFd> Site::open_by_note(const Operation& operation, const Directory& directory,
                                    std::string_view path) {
  const int root = volume(operation).root();
  if (directory.handle) {
    auto found = open_handle(root, *directory.handle, O_PATH);
    if (!found && found.error().err != ESTALE) return found;
    if (found) {
      RH_TRY(const struct stat st, sys::stat_fd(found->get()));
      RH_TRY(const bool within, is_within(found->get(), root));
      if (st.st_ino == directory.ino && st.st_nlink != 0 && within) return found;
    }
  }
  // Not every filesystem knows its handles again when it was mounted anew.
  auto found = open_by_path(operation, directory, path);
  if (!found && directory.handle && leads_nowhere(found.error().err))
    return fail_errno(ESTALE, "open " + std::string(path));
  return found;
}

Result<int> Site::open(const Operation& operation, std::uint32_t number, std::string_view path) {
  for (std::size_t i = opened_.size(); i-- > 0;) {
    if (opened_[i].number != number || opened_[i].volume != operation.volume) continue;
    std::rotate(opened_.begin() + static_cast<std::ptrdiff_t>(i),
                opened_.begin() + static_cast<std::ptrdiff_t>(i) + 1, opened_.end());
    return opened_.back().fd.get();
  }
  const Directory& directory = directories_[number];
  RH_TRY(UniqueFd fd, by_ == By::kPath ? open_by_path(operation, directory, path)
                                       : open_by_note(operation, directory, path));
  if (opened_.size() == kMostOpened) opened_.erase(opened_.begin());
  opened_.push_back({operation.volume, number, std::move(fd)});
  return opened_.back().fd.get();
}

Result<Spot> Site::spot(const Operation& operation, End end) {
  const Place& place = place_of(operation, end);
  Volume& on = volume(operation);
  if (place.path.empty()) return Spot{on.area(place.area), {}};
  const std::uint32_t number = end == End::kFrom ? operation.from_directory : operation.to_directory;
  const bool noted = place.area == Area::kHost && number < directories_.size();
  if (noted && operation.kind == OperationKind::kAttributes && operation.type == FileType::kDir) {
    RH_TRY(const int itself, open(operation, number, place.path));
    return Spot{itself, {}};
  }
  RH_TRY(const int dir, noted ? open(operation, number, parent_of(place.path)) : parent(operation, place));
  return Spot{dir, std::string(leaf_of(place.path))};
}

const Directory* Site::noted(const Operation& operation, End end) const {
  const std::uint32_t number = end == End::kFrom ? operation.from_directory : operation.to_directory;
  return number < directories_.size() ? &directories_[number] : nullptr;
}

Result<bool> Site::is_new(const Operation& operation, End end, std::int64_t since_ns) {
  if (since_ns == 0) return false;
  RH_TRY(const Spot at, spot(operation, end));
  return is_born_since(at.dir, at.name, since_ns);
}

Result<Look> Site::look(const Operation& operation, End end) {
  Look look;
  const auto at = spot(operation, end);
  if (!at) {
    const int err = at.error().err;
    if (err != ESTALE && !leads_nowhere(err)) return tl::make_unexpected(at.error());
    look.what = err == ESTALE ? Look::What::kGone : Look::What::kLost;
    return look;
  }
  const int flags = AT_SYMLINK_NOFOLLOW | (at->name.empty() ? AT_EMPTY_PATH : 0);
  if (::fstatat(at->dir, at->name.c_str(), &look.st, flags) == 0)
    look.what = Look::What::kObject;
  else if (errno != ENOENT)
    return sys::last_error("fstatat", place_of(operation, end).path);
  return look;
}

/// Somebody may have moved or removed the directory since it was looked at.
Result<Spot> Site::spot_of_rename(const Operation& operation, End end) {
  auto found = spot(operation, end);
  if (found || (found.error().err != ESTALE && !leads_nowhere(found.error().err))) return found;
  return fail_for(
      found.error().err,
      shown(operation, end) + " has lost the directory it was in: " + why_nowhere(found.error().err),
      ExitCode::kStale, "rehearse again");
}

Result<void> Site::rename(const Operation& operation, End source, unsigned flags) {
  const End target = source == End::kFrom ? End::kTo : End::kFrom;
  RH_TRY(const Spot from, spot_of_rename(operation, source));
  // Both may come from one cache.
  std::optional<UniqueFd> kept;
  if (operation.from.area == operation.to.area) {
    RH_TRY(kept, sys::dup(from.dir));
  }
  RH_TRY(const Spot to, spot_of_rename(operation, target));
  auto renamed =
      sys::rename_at2(kept ? kept->get() : from.dir, from.name.c_str(), to.dir, to.name.c_str(), flags);
  if (operation.type == FileType::kDir) forget_parents(operation.volume);
  if (renamed) return {};
  const int err = renamed.error().err;
  const std::string shown =
      this->shown(operation, place_of(operation, target).area == Area::kHost ? target : source);
  if (err == ENOENT)
    return fail_for(err, this->shown(operation, source) + " is gone", ExitCode::kStale, "rehearse again");
  if (err == EEXIST)
    return fail_for(err, shown + " has appeared meanwhile", ExitCode::kStale, "rehearse again");
  if (err == EBUSY)
    return fail_for(err, shown + " is a mount point or otherwise in use by the kernel", ExitCode::kFailure,
                    "unmount it first");
  if (err == EPERM)
    return fail_for(err, shown + ": it, or the directory that it is in, is immutable or append-only",
                    ExitCode::kFailure, "lsattr -d tells which; chattr -i -a it, then try again");
  return with_context(renamed.error(), shown);
}

}  // namespace rehearse::promote
