// What the action looked at that shows the run and not this host, as gaps: at best green where programs do so
// by habit, at best yellow else.
#pragma once

#include <set>
#include <vector>

#include "rehearsal/host_root.h"
#include "trace/own_views.h"
#include "verdict/finding.h"

namespace rehearse {

/// `mirrored`: interfaces, addresses and routes are the host's.
std::vector<verdict::Gap> view_gaps(const std::set<trace::OwnLook>& looks, bool mirrored);

/// Whether the host has something there that the run does not show: of listings only it may have nothing.
bool hides_something(const trace::OwnLook& look, const HostRoot& host);

/// Whether such programs look there whatever they are run for, so that the answer is seldom what they act on;
/// also what they print where nobody else acts on it.
bool is_looked_at_by_habit(const trace::OwnLook& look);

}  // namespace rehearse
