// What somebody has written to in a directory of which nothing else is known.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace rehearse::promote {

/// The files and whatever else is no directory below the directory `path` below `root` that somebody has made
/// or written to at `since_ns` or later (CLOCK_REALTIME), by the change time; of what has several names,
/// whose change time other operations move, by the modification time. Relative to it. Directories do not
/// count: operations move their times.
Result<std::vector<std::string>> written_since(int root, const std::string& path, std::int64_t since_ns);

}  // namespace rehearse::promote
