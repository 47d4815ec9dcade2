// What became of the entries of a directory that the action listed, as far as that can be told: its listing
// is not on record, but what the action used of it is, and each object on the host says how old it is.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>

#include "effects/read_list.h"
#include "promote/own_moves.h"

namespace rehearse::promote {

/// A directory of which more is to be told than that it has moved.
struct ListedDirectory {
  const effects::HostRead& read;
  int file = -1;  ///< opened with O_PATH or for reading
  const struct stat& now;
};

/// "came since: a; gone since: b", raw. `reads`: the whole read set, sorted by path. `since_ns`
/// (CLOCK_REALTIME): when the rehearsal began. What promotions of the run itself have moved is not told.
std::string what_became_of(const ListedDirectory& directory, std::span<const effects::HostRead> reads,
                           std::int64_t since_ns, const OwnMoves& own);

}  // namespace rehearse::promote
