// Opened directories of a walk, and their sorted listings.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::effects {

using SharedFd = std::shared_ptr<const UniqueFd>;

/// `name` in `parent`, opened for listing; never through a symlink.
Result<SharedFd> open_subdirectory(const UniqueFd& parent, const std::string& name);
/// A directory by its path below `root`, component by component safe.
Result<SharedFd> open_directory_beneath(int root, const std::string& path);

struct Listed {
  std::string name;
  unsigned char type;  ///< DT_*
  std::uint64_t ino;
};
/// Names in byte order, without "." and "..".
Result<std::vector<Listed>> list_directory(int directory);

}  // namespace rehearse::effects
