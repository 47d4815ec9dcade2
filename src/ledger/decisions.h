// What people decided about runs, and what came of it: the ledger's tables `decisions`, `decision_uses`,
// `promotions` and `promotion_effects`.
//
// Decisions and their uses are only ever added (triggers refuse anything else). A decision is bound to a
// run's digest, to the seal of its files and to the policy it was made under, may expire, and is used once.
// Every write is durable when it returns. Who may decide, and what lets a run pass, is not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::ledger {

enum class Verb : std::uint8_t {
  kApproved,
  kRejected,    ///< closes the run: nothing that was decided before lets it pass
  kRevoked,     ///< takes back what the same person approved or overrode before
  kOverridden,  ///< let pass without approval, to be reviewed
  kReviewed,    ///< of the override `about`
  kSkipped,     ///< no person decided; the reason says why none had to. `about`: the standing grant, or 0
};
const char* to_string(Verb verb);

struct Decision {
  std::int64_t id = 0;
  std::string run;
  std::string digest;  ///< "sha256:..."
  std::string seal;    ///< hex
  std::string policy;  ///< "sha256:..." of the policy in force then; empty: made before there was one
  Verb verb = Verb::kApproved;
  report::Requester who;
  std::uint32_t person = 0;  ///< uid behind `who`
  std::string reason;
  std::int64_t created_ns = 0;
  std::int64_t expires_ns = 0;  ///< 0: never
  std::string ticket;
  std::int64_t review_due_ns = 0;  ///< of an override
  std::int64_t about = 0;          ///< another decision, or a grant
  std::string used_by;             ///< promotion that used it up; empty: none
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

/// What a promotion does to the host, in the units of [limits].
struct PromotionEffects {
  std::int64_t at_ns = 0;
  std::int64_t changes = 0;
  std::int64_t deletes = 0;
  std::int64_t bytes_written = 0;
  std::int64_t units_restarted = 0;
};

/// What a promotion takes when it begins.
struct Admission {
  std::string run;
  std::string promotion;                ///< "RUN/N"
  std::int64_t newest_seen = 0;         ///< id of the newest decision about the run that was looked at
  std::vector<std::int64_t> decisions;  ///< it rests on these
  std::optional<Decision> skip;         ///< it rests on none: this is added, and used
  std::vector<std::int64_t> spends;     ///< these are used up: the same, and all that another could rest on
  PromotionEffects effects;
  std::optional<PromotionRow> begun;  ///< written with it; its decision is filled in
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
  /// All overrides and reviews, oldest first.
  Result<std::vector<Decision>> overrides();
  /// Of the newest so many approved runs: how long each waited for its first approval.
  Result<std::vector<std::int64_t>> approval_waits(std::size_t most);

  /// In one step: uses up what the promotion spends, records the effects and that it has begun. Returns the
  /// number of the decision it rests on, or kNotApproved if one was used or another was made meanwhile.
  Result<std::int64_t> admit(const Admission& admission);
  /// Gives back what the promotion used: it changed nothing.
  Result<void> release(const std::string& promotion);
  /// Effects of promotions since then that were not undone, oldest first.
  Result<std::vector<PromotionEffects>> effects_since(std::int64_t ns);

  /// The latest time in the whole ledger, and of what: nothing in it can be later than now.
  struct Newest {
    std::int64_t ns = 0;
    std::string what;
  };
  Result<Newest> newest();

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
