// Whether anybody has touched what lies in a directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace rehearse::promote {

/// Something below the directory `path` below `root` has a change time of `since_ns` or later
/// (CLOCK_REALTIME); of what has several names, whose change time other operations move, a modification time.
/// Not the directory itself: its times are moved with it.
Result<bool> changed_since(int root, const std::string& path, std::int64_t since_ns);

/// The files and whatever else is no directory below the directory `path` below `root` that somebody has made
/// or written to at `since_ns` or later, told in the same way; relative to it. Directories do not count:
/// operations move their times.
Result<std::vector<std::string>> written_since(int root, const std::string& path, std::int64_t since_ns);

}  // namespace rehearse::promote
