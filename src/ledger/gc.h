// Garbage collection of the state directory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/gc_policy.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

namespace rehearse::ledger {

enum class DryRun { kNo, kYes };

struct GcReport {
  std::vector<std::string> interrupted;  ///< ids collected now
  std::vector<GcChoice> removed;         ///< oldest first
  std::uint64_t freed_bytes = 0;
  std::uint64_t kept = 0;
  std::uint64_t kept_bytes = 0;
  std::uint64_t promoted = 0;  ///< of those that are kept
  std::uint64_t approved = 0;  ///< of those that are kept
  std::uint64_t trash = 0;     ///< half-removed bundles finished off
  struct Spared {
    std::string id;
    std::vector<std::string> why;  ///< raw
  };
  std::vector<Spared> spared;         ///< left alone whatever the policy says: only a person removes them
  std::vector<std::string> problems;  ///< raw text; what could not be removed and why
};

/// What of a run lies outside the state directory is other parts' business.
struct GcHooks {
  std::function<Result<void>(const std::string& id)> release;  ///< what an interrupted run left in the host
  std::function<Result<std::uint64_t>(const Bundle& bundle)> elsewhere;  ///< disk space outside the bundle
  /// What of somebody else's goes with the run, raw; gc leaves such a run alone.
  std::function<Result<std::vector<std::string>>(const Bundle& bundle)> spared;
  std::function<Result<void>(const Bundle& bundle)> forget;  ///< removes that, before the bundle goes
  /// The run is promoted: what it replaced and removed goes with it.
  std::function<Result<bool>(const Bundle& bundle)> promoted = {};
  /// A decision lets it be promoted that has neither expired nor been used.
  std::function<Result<bool>(const Bundle& bundle)> approved = {};
};

/// In order: collects interrupted runs, finishes interrupted removals, brings the ledger up to date, applies
/// the policy. Goes on after a run that cannot be removed and names it in `problems`.
Result<GcReport> collect_garbage(const StateDir& state, Ledger& ledger, const GcPolicy& policy,
                                 DryRun dry_run, const GcHooks& hooks);

}  // namespace rehearse::ledger
