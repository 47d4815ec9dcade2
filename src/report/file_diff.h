// What a change did inside one file: the host's bytes before, the bundle's after.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "effects/change.h"
#include "report/host_names.h"
#include "report/link_names.h"

namespace rehearse::report {

inline constexpr std::uint64_t kMaxDiffBytes = 1U << 20U;  ///< of one file on one side

/// Where the two sides come from. Every descriptor is a regular file opened for reading, or an error says why
/// not.
struct Sides {
  std::function<Result<UniqueFd>(const std::string& path)> open_host;
  std::function<Result<UniqueFd>(const effects::Change& change)> open_kept;
};

struct FileDiff {
  std::vector<std::string>
      header;            ///< extended header lines, escaped: "mode 0644→0600", "new file, mode 0644"
  bool damaged = false;  ///< the kept file is gone or another: the note says so
  std::string note;   ///< why there is no text, escaped: "binary files differ: ...", "host file has changed
                      ///< since"; may be empty
  bool made = false;  ///< there was no regular file before
  bool gone = false;  ///< there is none after
  std::string text;   ///< hunks, raw lines: escape before printing; empty if there is none
};

/// Never fails: what cannot be read is a note. Both sides are read once, with bounded size, and checked
/// against the digests of the record.
FileDiff diff_change(const effects::Change& change, const Sides& sides, const HostNames& names = {},
                     const LinkNames& links = {});

/// One line of FileDiff::text for a terminal: escaped but for tabs, and but for the backslash of "\\ No
/// newline ...".
std::string escape_line(std::string_view line);

/// The host's file below `root` for reading: no symlink, no device, no FIFO, no access time change.
Result<UniqueFd> open_host_file(int root, const std::string& path);

/// True if `path` is `filter` or lies below it, by whole components.
bool is_at_or_below(std::string_view path, std::string_view filter);

}  // namespace rehearse::report
