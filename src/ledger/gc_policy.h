// Which runs `gc` removes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rehearse::ledger {

/// A run is removed if any of the limits says so. Live and pinned runs never are; promoted ones, which hold
/// the way back, only by age and by `all` with `force`; approved ones, which somebody is about to promote,
/// only by the latter. But they count towards `max_bytes` and `keep`.
struct GcPolicy {
  bool all = false;
  bool force = false;                                                        ///< `all`: also those
  std::optional<std::uint64_t> keep = 200;                                   ///< newest runs to keep
  std::optional<std::int64_t> older_than_ns = 30LL * 86400 * 1'000'000'000;  ///< age above which a run goes
  std::optional<std::uint64_t> max_bytes = 10ULL << 30U;  ///< oldest go until the rest fits
};

struct GcCandidate {
  std::string id;
  std::int64_t created_ns = 0;
  std::uint64_t bytes = 0;
  bool pinned = false;
  bool live = false;
  bool promoted = false;
  bool approved = false;  ///< by a decision that has neither expired nor been used
};

struct GcChoice {
  std::string id;
  std::uint64_t bytes = 0;
  const char* reason = "";  ///< "all", "age", "count", "size"
  bool promoted = false;
  bool approved = false;
};

/// `runs` in any order; the result is oldest first.
std::vector<GcChoice> choose_for_gc(std::vector<GcCandidate> runs, const GcPolicy& policy,
                                    std::int64_t now_ns);

}  // namespace rehearse::ledger
