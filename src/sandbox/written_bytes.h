// What a run has written so far, measured while it goes on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>

namespace rehearse::sandbox {

/// Allocated bytes of what has a name below `directory`; entries may come and go meanwhile. Nothing: the tree
/// is deeper than anything that is not made to be (2,000 levels), has more than a million entries, or cannot
/// be looked through.
std::optional<std::uint64_t> named_bytes(int directory);

/// Allocated bytes of the files of overlays that have no name any more, or never had (O_TMPFILE), and that a
/// thread of these processes has open or mapped. What lies in a socket's queue is not among them. Nothing:
/// they have more open than can be looked at in a moment.
std::optional<std::uint64_t> nameless_bytes(std::span<const pid_t> processes);

}  // namespace rehearse::sandbox
