// Finishes what an interrupted promotion or rollback left: forward if everything was done and only the last
// mark is missing, else back.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/lock.h"

namespace rehearse::promote {

struct Recovered {
  std::string id;  ///< "RUN/N"
  enum class Way : std::uint8_t { kNothing, kForward, kBack, kFailed } way = Way::kNothing;
  std::vector<std::string> notes;  ///< raw; edits that were kept aside, what failed
  std::vector<std::string> units;  ///< raw; of one that was finished: what the service manager was not asked
                                   ///< any more; of one that was undone: what it had been asked
};

/// True if there is anything to recover, or going on: two system calls.
Result<bool> anything_pending(const ledger::StateDir& state);

/// Recovers everything there is. The caller holds the host's lock.
Result<std::vector<Recovered>> recover_all(const ledger::StateDir& state, const HostLock& lock);

/// What to do about one of which recovery says that it failed.
inline constexpr const char* kRecoverAgain = "put that right, then: rehearse recover";

}  // namespace rehearse::promote
