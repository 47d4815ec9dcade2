// The host's mount table, from /proc/self/mountinfo (proc(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rehearse::host {

/// One line of mountinfo, unescaped: any byte but NUL may occur in the strings.
struct Mount {
  int id = 0;
  int parent = 0;
  unsigned major = 0;
  unsigned minor = 0;
  std::string root;        ///< path within the filesystem that is shown
  std::string mountpoint;  ///< absolute, as this process sees it
  std::string options;     ///< per-mount: "rw,nosuid,relatime"
  std::string fstype;      ///< "ext4", "fuse.sshfs"
  std::string source;
  std::string super_options;  ///< per-superblock
  bool unbindable = false;    ///< no other mount can be made of it (mount_namespaces(7))
  /// What it shows has no name in its filesystem any more: /etc/hosts, bound somewhere and then replaced.
  [[nodiscard]] bool source_removed() const;
  [[nodiscard]] bool read_only() const;
  [[nodiscard]] bool has_option(std::string_view name) const;
  [[nodiscard]] bool has_super_option(std::string_view name) const;
};

/// Parses a whole mountinfo text. Unknown optional fields are skipped; a line that cannot be parsed is
/// kDataError with its number.
Result<std::vector<Mount>> parse_mountinfo(std::string_view text);

/// Indices into `mounts` of those a path walk from / can reach (a later mount on the same point, or on an
/// ancestor, covers what is below), parents before children.
std::vector<std::size_t> visible_mounts(const std::vector<Mount>& mounts);

Result<std::vector<Mount>> read_mounts();

}  // namespace rehearse::host
