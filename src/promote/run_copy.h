// An object that the run has made, in its upper or copied from there: compared with what the manifest says of
// it, and rid of what overlayfs and the run's limits have left on it.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/result.h"
#include "effects/change.h"

namespace rehearse::promote {

enum class Leftovers : std::uint8_t {
  kNone,    ///< a copy has none
  kRemove,  ///< overlayfs's own attributes, and the project that limits the run's writing
};

enum class Compared : std::uint8_t { kAll, kAttributes };

/// `name` in `dir` is as `record` has it after the run, with all attributes; kDataError if it is not. Returns
/// what its lstat is then. Looks at nothing below a directory.
Result<struct stat> check_run_copy(int dir, const std::string& name, const effects::Change& record,
                                   Leftovers leftovers, Compared compared = Compared::kAll);

}  // namespace rehearse::promote
