// A directory that overlayfs copied up has the time that the host's had at that moment. Where the host's has
// moved on since, the two differ, and the action has done nothing: this tells which of the two it was.
#pragma once

#include "effects/change.h"
#include "effects/layer_walk.h"

namespace rehearse::effects {

/// True if the time of the directory `pair.after` is the one it was copied with, as far as the upper shows.
/// `change` has its attributes; the two sides differ in nothing but their time. Without what it takes to tell
/// (a time of birth, entries that can be looked at) it is false.
///
/// Cannot be told, and is taken for copied: a time set by the action on a directory that the host changed
/// too, with no access time set along with it, within an instant of the copying of something below or before
/// it.
bool has_copied_time(const Pair& pair, const Change& change, std::int64_t earliest_stamp_ns);

}  // namespace rehearse::effects
