// Copies small trees: a filesystem that cannot be a layer, a bind-mounted file, the parents of a masked file.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace rehearse::sandbox {

/// Mode, owner, xattrs (ACLs and capabilities included) and times of `from` onto `to`; both are open files or
/// directories. xattrs the target filesystem does not take are skipped.
Result<void> copy_attributes(int from, int to);

/// Copies the content below directory `from` into the empty directory `to` with all attributes and hard
/// links: directories, files, symlinks, and pipes, sockets and devices as nodes that lead to nobody, as those
/// of a layer do. Character devices 0:0, which no layer shows either, are left out; mounts are not entered.
/// kUnavailable beyond `limit` bytes.
Result<void> copy_tree(int from, int to, std::uint64_t limit);

/// Copies one regular file to `name` in directory `to`. kUnavailable beyond `limit` bytes.
Result<void> copy_file(int from, int to, const char* name, std::uint64_t limit);

/// Of what could also be shown as it is, and of what could not.
inline constexpr std::uint64_t kCopyLimit = std::uint64_t{64} << 20U;
inline constexpr std::uint64_t kOnlyCopyLimit = std::uint64_t{256} << 20U;

}  // namespace rehearse::sandbox
