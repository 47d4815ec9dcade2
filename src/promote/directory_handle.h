// What the kernel opens a directory again with, whatever name it has by then, also after a reboot.
// Source: open_by_handle_at(2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::promote {

struct DirectoryHandle {
  std::int32_t type = 0;
  std::string bytes;  ///< raw
  bool operator==(const DirectoryHandle&) const = default;
};

/// Nothing where the filesystem gives none out.
std::optional<DirectoryHandle> handle_of(int directory);

/// `on`: any directory of the mount through which it is to be reached. err ESTALE: the directory is no more.
Result<UniqueFd> open_handle(int on, const DirectoryHandle& handle, int flags);

}  // namespace rehearse::promote
