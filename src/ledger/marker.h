// The command of a run that has no report yet: the words of it stand in the run's marker (layout.h).
#pragma once

#include <span>
#include <string>
#include <vector>

namespace rehearse::ledger {

/// Writes the first words of it, as they may be kept, into the new marker. It is run without them if there is
/// no room.
void note_command(int marker, std::span<const std::string> argv);
/// Of run `id`, whose marker is in `directory` of the state; none: nothing was noted.
std::vector<std::string> noted_command(int state, const char* directory, const std::string& id);

}  // namespace rehearse::ledger
