// What people decided about runs, and what came of it: the ledger's tables `decisions` and `promotions`.
//
// A decision is bound to a run's digest and to the seal of its files, expires, and is used once. Every write
// is durable when it returns. Who may decide is not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::ledger {

enum class Verb : std::uint8_t { kApproved, kRejected };

struct Decision {
  std::int64_t id = 0;
  std::string run;
  std::string digest;  ///< "sha256:..."
  std::string seal;    ///< hex
  Verb verb = Verb::kApproved;
  report::Requester who;
  std::string reason;
  std::int64_t created_ns = 0;
  std::int64_t expires_ns = 0;
  std::string used_by;  ///< promotion that used it up; empty: none
};

/// One promotion or rollback, begun or ended. Times in nanoseconds since the epoch.
struct PromotionRow {
  std::string id;  ///< "RUN/N"
  std::string run;
  std::string digest;
  std::string kind;  ///< "promote" or "rollback"
  std::int64_t decision = 0;
  report::Requester who;
  std::int64_t started_ns = 0;
  std::int64_t finished_ns = 0;
  std::string result;  ///< "begun", "done", "rolled back", "incomplete"
  std::uint64_t operations = 0;
  std::int64_t window_ns = 0;
  std::string detail;  ///< why, if it is not done
};

class Decisions {
 public:
  static Result<Decisions> open(const StateDir& state);
  Decisions(Decisions&&) noexcept;
  Decisions& operator=(Decisions&&) noexcept;
  ~Decisions();

  /// Returns its number.
  Result<std::int64_t> add(const Decision& decision);
  /// All decisions about a run, oldest first.
  Result<std::vector<Decision>> of_run(const std::string& run);
  /// Marks the decision used by `promotion`. False if something has used it already.
  Result<bool> use(std::int64_t decision, const std::string& promotion);
  /// Gives it back: the promotion that used it changed nothing.
  Result<void> release(std::int64_t decision, const std::string& promotion);

  /// Writes the row, or replaces that of the same id.
  Result<void> record(const PromotionRow& row);
  /// Ends a promotion that was found interrupted.
  Result<void> end(const std::string& id, const std::string& result, const std::string& detail,
                   std::int64_t finished_ns);
  Result<std::vector<PromotionRow>> promotions_of(const std::string& run);

 private:
  struct Impl;
  explicit Decisions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rehearse::ledger
