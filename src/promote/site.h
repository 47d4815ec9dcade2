// Where operations take place: finds their directories and the objects in them, and renames. While they are
// carried out a directory is what its path leads to, and must be the one that was noted. When they are taken
// back or finished it is the noted one, wherever somebody has moved it.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

enum class End : std::uint8_t { kFrom, kTo };

inline const Place& place_of(const Operation& operation, End end) {
  return end == End::kFrom ? operation.from : operation.to;
}

/// Where an object is found. The descriptor (O_PATH) is borrowed until the next but one is asked for.
struct Spot {
  int dir = -1;
  std::string name;  ///< empty: the directory is the object
};

/// What is found at an end of an operation.
struct Look {
  enum class What : std::uint8_t {
    kObject,
    kNothing,  ///< the directory is there, and nothing of that name
    kGone,     ///< the directory is no more, nor what was in it
    kLost,     ///< no way leads to the directory; it may exist
  } what = What::kNothing;
  struct stat st = {};  ///< kObject

  [[nodiscard]] bool is(std::uint64_t inode) const { return what == What::kObject && st.st_ino == inode; }
};

class Site {
 public:
  enum class By : std::uint8_t { kPath, kNote };

  /// All is borrowed. Without notes directories are found by their paths, whatever they are.
  Site(std::span<Volume> volumes, std::span<const Directory> directories, By by)
      : volumes_(volumes), directories_(directories), by_(by), parents_(volumes.size()) {}

  /// err ESTALE: the directory is no more.
  Result<Spot> spot(const Operation& operation, End end);
  Result<Look> look(const Operation& operation, End end);
  /// What stands there was made at `since_ns` (CLOCK_REALTIME) or later: it is not what the operation was
  /// about, whatever number it has got. False where that cannot be told (birth.h), or if `since_ns` is 0.
  Result<bool> is_new(const Operation& operation, End end, std::int64_t since_ns);
  /// Renames from one end of the operation to the other. `flags` as renameat2(2).
  Result<void> rename(const Operation& operation, End source, unsigned flags);
  /// For people.
  [[nodiscard]] std::string shown(const Operation& operation, End end) const;
  /// Opens directories anew.
  void forget();

  /// The noted directory that an end of the operation is, or lies in; null if there is none.
  [[nodiscard]] const Directory* noted(const Operation& operation, End end) const;

  Volume& volume(const Operation& operation) { return volumes_[operation.volume]; }

 private:
  struct Opened {
    std::uint32_t volume;
    std::uint32_t number;
    UniqueFd fd;
  };

  Result<Spot> spot_of_rename(const Operation& operation, End end);
  Result<int> parent(const Operation& operation, const Place& place);
  void forget_parents(std::uint32_t volume);
  Result<int> open(const Operation& operation, std::uint32_t number, std::string_view path);
  Result<UniqueFd> open_by_path(const Operation& operation, const Directory& directory,
                                std::string_view path);
  Result<UniqueFd> open_by_note(const Operation& operation, const Directory& directory,
                                std::string_view path);

  std::span<Volume> volumes_;
  std::span<const Directory> directories_;
  By by_;
  std::vector<Opened> opened_;  ///< of directories that are noted; the last used at the end
  /// Of each volume, by area: of all others. The volumes' own are left alone: a site is one thread's.
  std::vector<std::array<ParentCache, 2>> parents_;
};

}  // namespace rehearse::promote
