// What is mounted upon parts of a volume's own mount: there users see something else than the volume has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/mounts.h"
#include "promote/volume.h"

namespace rehearse::promote {

struct MountPoint {
  std::string path;  ///< absolute
  enum class Shows : std::uint8_t {
    kOther,     ///< what the volume has there is hidden
    kReadOnly,  ///< the same directory, which nobody may write to by this path
    kSame,      ///< the same directory: it was mounted upon itself
  } shows = Shows::kOther;
};

/// `mounts`: all of this namespace. Those that a path walk cannot reach are left out.
std::vector<MountPoint> points_within(const Volume& volume, const std::vector<host::Mount>& mounts);

/// Path of a place within its filesystem, as mount tables have it; `path` is relative to what `mount` shows.
std::string path_within(const host::Mount& mount, const std::string& path);

}  // namespace rehearse::promote
