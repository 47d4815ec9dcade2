// The symlinks of the host that names led through which the action used: its result rests on where they lead.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "effects/read_list.h"
#include "rehearsal/host_root.h"

namespace rehearse {

/// Adds a read of each link that the names in `followed` (trace::ReadSet::take_followed) lead through on the
/// host, unless its path is among `reads` already. What the kernel makes up is left out. Sorts `reads`.
void add_followed_links(std::vector<effects::HostRead>& reads,
                        const std::unordered_set<std::string>& followed, const HostRoot& host);

}  // namespace rehearse
