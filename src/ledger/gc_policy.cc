#include "ledger/gc_policy.h"

#include <algorithm>

namespace rehearse::ledger {

std::vector<GcChoice> choose_for_gc(std::vector<GcCandidate> runs, const GcPolicy& policy,
                                    std::int64_t now_ns) {
  std::sort(runs.begin(), runs.end(), [](const GcCandidate& a, const GcCandidate& b) { return a.id < b.id; });
  std::uint64_t total = 0;
  for (const GcCandidate& run : runs) total += run.bytes;
  std::vector<GcChoice> chosen;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const GcCandidate& run = runs[i];
    if (run.live || run.pinned) continue;
    const char* reason = nullptr;
    if (policy.all && (policy.force || !(run.promoted || run.approved))) {
      reason = "all";
    } else if (run.approved) {
      continue;
    } else if (policy.older_than_ns && now_ns - run.created_ns > *policy.older_than_ns) {
      reason = "age";
    } else if (run.promoted) {
      continue;
    } else if (policy.keep && runs.size() - i > *policy.keep) {
      reason = "count";
    } else if (policy.max_bytes && total > *policy.max_bytes) {
      reason = "size";
    }
    if (reason == nullptr) continue;
    chosen.push_back({run.id, run.bytes, reason, run.promoted, run.approved});
    total -= run.bytes;
  }
  return chosen;
}

}  // namespace rehearse::ledger
