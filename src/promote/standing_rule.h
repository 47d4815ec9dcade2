// When runs of one fingerprint are enough for a standing approval. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ledger/standing.h"
#include "verdict/policy.h"

namespace rehearse::promote {

/// Runs that began closer to each other than this count once.
inline constexpr std::int64_t kIndependentNs = 60'000'000'000;

struct Streak {
  std::int64_t runs = 0;  ///< clean, independent, since the last one of the same action that was not clean
  std::int64_t days = 0;  ///< on so many days (UTC)
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::string newest;   ///< id of the last of them
  std::string missing;  ///< what is not enough; empty: all is
};

/// `prints`: what is kept of runs, oldest first; those of other actions, from before the policy's days and
/// from after `now_ns` are passed over.
Streak count_streak(std::span<const ledger::Print> prints, const ledger::Print& of,
                    const verdict::StandingTable& table, std::int64_t now_ns);

/// "0 of 100 failed: at most 3.0 % of such runs do, at 95 %" (rule of three: 1 - 0.05^(1/n)).
std::string confidence(std::int64_t runs);

}  // namespace rehearse::promote
