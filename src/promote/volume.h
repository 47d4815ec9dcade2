// One mounted filesystem that a promotion changes: the root of the mount, and the store on the same
// filesystem. Every path below is opened component by component from these two descriptors, never through a
// symlink, never into another mount.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/own_names.h"
#include "base/result.h"
#include "promote/operation.h"

namespace rehearse::promote {

/// Splits "a/b/c" into "a/b" and "c"; the parent of "c" is "".
std::string_view parent_of(std::string_view path);
std::string_view leaf_of(std::string_view path);
/// The path relative to the mount that it lies on: "" for the mount's root.
std::string_view below_mount(const std::string& path, const std::string& mountpoint);

/// Opens `path` (any length, no symlinks) below `root` with `flags`, never leaving its mount.
Result<UniqueFd> open_below(int root, std::string_view path, std::uint64_t flags);

/// Opened parents, the last one kept: operations come sorted, so most share it.
/// A look by path failed with this because what it names, or a directory on the way, is gone or is none any
/// more.
bool leads_nowhere(int err);

/// What became of a directory to which a path leads nowhere any more, for people.
const char* why_nowhere(int err);

/// What was found a moment ago may be moved by somebody before it is looked at again: that is kStale, no
/// failure.
template <class T>
Result<T> unless_moved(Result<T> found, const std::string& shown) {
  if (found || !leads_nowhere(found.error().err)) return found;
  return fail_for(found.error().err, shown + " is moved while it is looked at", ExitCode::kStale,
                  "rehearse again");
}

class ParentCache {
 public:
  /// The directory `path` below `root`, O_PATH. Borrowed until the next call.
  Result<int> open(int root, std::string_view path);
  /// A directory was moved: what was opened by its path may be elsewhere.
  void forget() { open_ = false; }

 private:
  bool open_ = false;
  std::string path_;
  UniqueFd fd_;
};

class Volume {
 public:
  /// The mount at `mountpoint` (absolute, canonical), without what is mounted upon it: that hides nothing
  /// here (ground.h tells what users would not see). What is mounted later may come in [6.15, where it is
  /// shared]: the way there is then refused (EXDEV). kStale if it is not the root of a mount any more.
  static Result<Volume> open(std::string mountpoint);

  /// A filesystem of rehearse's own, mounted nowhere, that stands in for the one at `mountpoint`.
  static Result<Volume> scratch(UniqueFd root, std::string mountpoint);

  [[nodiscard]] const std::string& mountpoint() const { return mountpoint_; }
  [[nodiscard]] int root() const { return root_.get(); }
  [[nodiscard]] int store() const { return store_.get(); }
  [[nodiscard]] dev_t device() const { return device_; }
  [[nodiscard]] std::uint64_t root_inode() const { return root_inode_; }

  /// Uses `directory`, which lies on the same filesystem, as the store, reached through this volume's own
  /// mount: a rename between two mounts of one filesystem is refused (EXDEV). False if it lies elsewhere.
  Result<bool> adopt_store(int directory);
  /// Makes or opens the store of run `id` in the directory `.rehearse` of the mount itself.
  Result<void> make_store(const std::string& id);
  /// Opens the store of run `id` in `.rehearse`. err ENOENT if there is none.
  Result<void> open_store(const std::string& id);
  /// Removes the store of run `id` with everything in it, and `.rehearse` with the last one. Leaves no trace
  /// on the time of the mount's root. Fine if there is none.
  Result<void> remove_store(const std::string& id);

  [[nodiscard]] int area(Area area) const { return area == Area::kHost ? root() : store(); }
  /// The directory that holds `place`.
  Result<int> parent(const Place& place);
  /// lstat of what is at `place`; nothing if nothing is. An error if its parent cannot be opened.
  Result<std::optional<struct stat>> find(const Place& place);
  /// Directories were moved: what was opened by path may be elsewhere.
  void forget_parents();
  /// Absolute, for people.
  [[nodiscard]] std::string shown(const Place& place) const;

 private:
  std::string mountpoint_;
  UniqueFd mount_;  ///< the mount that `root_` is a copy of: nobody unmounts it meanwhile
  UniqueFd root_;
  UniqueFd store_;
  std::string store_name_;
  dev_t device_ = 0;
  std::uint64_t root_inode_ = 0;
  std::array<ParentCache, 2> parents_;
};

Facts facts_of(const struct stat& st);

/// What only root may use of a filesystem's room.
enum class Reserve : std::uint8_t { kLeft, kUsed };
/// Its filesystem has as many bytes and inodes free: else kCantCreate. `what` they are for, for people.
Result<void> check_free(const Volume& volume, std::uint64_t bytes, std::uint64_t inodes, Reserve reserve,
                        const char* what);

inline constexpr const char* kNothingChanged = "nothing of the host has changed";

/// If the error is that a filesystem or quota is full: with the mount's name and what to do. `so`: what
/// became of it all, for people, or "".
Error name_full(Error error, const Volume& volume, std::string_view so);

}  // namespace rehearse::promote
