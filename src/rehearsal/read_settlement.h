// What a run has read, compared with the host when the run has ended: what the action only named gets the
// identity of the host's object, what the action itself had made or removed is taken out, what the host
// changed meanwhile is marked, and what was executed gets its digest.
#pragma once

#include <cstdint>
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

/// `reads`: as trace::ReadSet gives them. An object that has not changed since `start` is what the run has
/// seen. `masked`: paths inside that do not show the host's object. `shadowed`: directories whose identity
/// inside is that of the mask layer, while what they hold is the host's. Sorted by path.
std::vector<effects::HostRead> settle_reads(std::vector<effects::HostRead> reads, const HostRoot& host,
                                            const RunStart& start, const std::set<std::string>& masked,
                                            const std::set<std::string>& shadowed);

/// Secret files (trace::secret_files) that were opened under a name that a mount inside gave them.
std::set<std::string> secrets_by_other_names(const std::vector<effects::HostRead>& reads,
                                             const HostRoot& host);

/// The program interpreter that an ELF file names (PT_INTERP), "" if it names none. `fd` may be anything.
/// Source: elf(5).
std::string elf_interpreter(int fd);

}  // namespace rehearse
