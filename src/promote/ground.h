// The ground that renames and attributes are to be set on: what of the host as it is now would let them fail
// half-way, whichever way they go. Changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// A place of the host that operations touch, where it is before the first of them.
struct Touched {
  enum class How : std::uint8_t {
    kDisplaced,  ///< the object is taken away, or another takes its place
    kPut,        ///< an object comes; its directory may be yet to come, too
    kSet,        ///< the object gets attributes
  };
  std::size_t volume = 0;
  std::string path;  ///< relative to the volume's root
  How how = How::kDisplaced;
  bool directory = false;    ///< the object is one, or what comes is
  bool flags_known = false;  ///< the object is neither immutable nor append-only
};

struct GroundQuestion {
  std::span<Volume* const> volumes;
  std::span<const Touched> touched;
  std::span<const std::string> paths;  ///< absolute: what changes, to find package managers by
  /// Files that another mount shows by themselves, and mount points of other namespaces: else they are noted.
  bool refuse_shown = true;
};

/// Objects that are displaced and are, or hold, mount points of this namespace, and whatever is or lies below
/// one that shows something else than the volume has there, or shows it read-only: kUnavailable.
Result<void> check_mount_points(std::span<Volume* const> volumes, std::span<const Touched> touched);

/// The same when everything is ready to be done: kStale.
Result<void> check_still_shown(std::span<Volume> volumes, std::span<const Touched> touched);

/// All of it: filesystems that are mounted read-only, immutable objects and directories (kNoPermission),
/// mount points of every namespace, swap files, package managers at work (kTryLater). The first is the error.
/// Returns what is no obstacle and is to be said, a line of raw text each.
Result<std::vector<std::string>> check_ground(const GroundQuestion& question);

}  // namespace rehearse::promote
