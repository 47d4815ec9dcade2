// What lets one promotion begin: the policy in force, the decisions in the ledger, and the budgets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/decisions.h"
#include "promote/frozen_bundle.h"
#include "verdict/policy.h"

namespace rehearse::promote {

struct Authority {
  verdict::Policy policy;
  std::vector<std::int64_t> decisions;   ///< it rests on these
  std::optional<ledger::Decision> skip;  ///< or on none: why no person has to decide
  std::vector<std::int64_t> spends;
  std::int64_t newest_seen = 0;
  std::string reason;  ///< one line
};

/// Reads policy and ledger. Errors are those of decision.h, and kConfig where the policy cannot be read.
Result<Authority> find_authority(const ledger::StateDir& state, ledger::Decisions& decisions,
                                 const FrozenBundle& frozen, const report::Requester& who,
                                 std::int64_t now_ns);

/// What the taken changes and the unit requests of the run come to, in the units of [limits].
ledger::PromotionEffects effects_of(const FrozenBundle& frozen, const std::vector<bool>& taken,
                                    std::int64_t now_ns);

/// Ends the standing approval that a promotion rested on if it came to anything but done or stale.
Result<void> learn_from(const ledger::StateDir& state, const Authority& authority, ExitCode exit,
                        const std::string& why);

}  // namespace rehearse::promote
