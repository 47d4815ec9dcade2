// Who owns what has moved, where a package does.
#pragma once

#include "ledger/state.h"
#include "promote/staleness.h"

namespace rehearse::promote {

/// Fills in the owners, from the host's package database (dpkg); a cache of that lies in the state directory.
void name_package_owners(const ledger::StateDir& state, Staleness& staleness);

}  // namespace rehearse::promote
