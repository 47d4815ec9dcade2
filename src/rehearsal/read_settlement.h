// What a run has read, compared with the host when the run has ended: what the action only named gets the
// identity of the host's object, what the action itself had made or removed is taken out, what the host
// changed meanwhile is marked, and what was executed gets its digest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "effects/read_list.h"
#include "rehearsal/host_root.h"

namespace rehearse {

/// Before the run saw the host.
struct RunStart {
  std::int64_t realtime_ns = 0;
  std::int64_t earliest_stamp_ns = 0;  ///< as in base/clock.h
};

/// Where the identities that the run saw are not those of the host's objects.
struct ShownOtherwise {
  std::set<std::string> masked;    ///< files that are like the host's but for their content
  std::set<std::string> hidden;    ///< paths inside that do not show the host's object
  std::set<std::string> shadowed;  ///< directories of the mask layer, which hold what the host's hold
  /// What is there, and below, is a copy of the host's, made since then (earliest_stamp_ns()).
  std::map<std::string, std::int64_t> copied;
  /// Since when what was read at `path` may have another identity on the host; nothing: it has the same.
  [[nodiscard]] std::optional<std::int64_t> other_since(const std::string& path,
                                                        std::int64_t started_ns) const;
};

/// `reads`: as trace::ReadSet gives them. An object that has not changed since `start` is what the run has
/// seen. Sorted by path.
/// `marks`: gets the paths that were looked for in vain though the host has something there: what overlayfs
/// takes for a mark of its own that something was removed (a character device 0:0), as container stores have
/// them, no layer over it shows.
std::vector<effects::HostRead> settle_reads(std::vector<effects::HostRead> reads, const HostRoot& host,
                                            const RunStart& start, const ShownOtherwise& otherwise,
                                            std::vector<std::string>& marks);

/// Secret files (trace::secret_files, and `masked`) that were opened under a name that a
/// mount inside, or a hard link of the host's, gives them.
std::set<std::string> secrets_by_other_names(const std::vector<effects::HostRead>& reads,
                                             const HostRoot& host, const std::set<std::string>& masked);

/// The program interpreter that an ELF file names (PT_INTERP), "" if it names none. `fd` may be anything.
/// Source: elf(5).
std::string elf_interpreter(int fd);

}  // namespace rehearse
