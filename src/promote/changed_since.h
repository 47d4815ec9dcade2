// Whether anybody has touched what lies in a directory.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace rehearse::promote {

/// Something below the directory `path` below `root` has a change time of `since_ns` or later
/// (CLOCK_REALTIME); of what has several names, whose change time other operations move, a modification time.
/// Not the directory itself: its times are moved with it.
Result<bool> changed_since(int root, const std::string& path, std::int64_t since_ns);

}  // namespace rehearse::promote
