// Fingerprints of runs and the standing approvals about them: the ledger's tables `fingerprints`, `envelopes`
// and `standing`. Grants, their ends and resamples are only ever added.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "report/fingerprint.h"
#include "report/run_record.h"

namespace rehearse::ledger {

class Database;

/// What is kept of a run, also when the run itself is gone. Digests are hex.
struct Print {
  std::string run;
  std::int64_t created_ns = 0;
  std::string action;  ///< digest of the template
  std::string digest;
  std::string envelope;
  std::string policy;   ///< "sha256:..."
  std::string title;    ///< escaped
  std::string unclean;  ///< why it does not count; empty: it does
};

struct Grant {
  std::int64_t id = 0;
  std::string run;  ///< the newest of those that it rests on
  std::string action;
  std::string fingerprint;
  std::string envelope;
  std::string policy;
  std::string title;
  std::string reason;
  std::int64_t created_ns = 0;
  std::int64_t expires_ns = 0;
  report::Requester who;
  std::uint32_t person = 0;
  // What came of it since.
  std::string ended;  ///< why, and by whom; empty: nobody has ended it
  std::int64_t ended_ns = 0;
  std::vector<std::string> resampled;  ///< runs about which a person was asked all the same
  std::int64_t uses = 0;               ///< promotions that it let begin
  [[nodiscard]] bool holds(std::int64_t now_ns) const { return ended.empty() && expires_ns > now_ns; }
};

/// Why the effects of `run` are not within those that were granted; empty: they are. Pure; lines are sorted.
std::string departure(const std::vector<std::string>& granted, const std::vector<std::string>& run);

/// Keeps the fingerprint of a run that the ledger takes in, and ends every grant whose envelope it leaves.
Result<void> keep_print(Database& database, const report::RunRecord& record, const report::Fingerprint& print,
                        std::int64_t now_ns);

class Standing {
 public:
  static Result<Standing> open(const StateDir& state);
  Standing(Standing&&) noexcept;
  Standing& operator=(Standing&&) noexcept;
  ~Standing();

  Result<std::optional<Print>> of_run(const std::string& run);
  /// Of runs since then, oldest first.
  Result<std::vector<Print>> since(std::int64_t ns);
  Result<std::vector<std::string>> lines(const std::string& envelope);

  /// All, oldest first.
  Result<std::vector<Grant>> grants();
  /// Returns its number.
  Result<std::int64_t> grant(const Grant& grant);
  Result<void> end(const Grant& grant, const std::string& why, const report::Requester& who,
                   std::uint32_t person, std::int64_t now_ns);
  /// A person has to look at this run all the same.
  Result<void> resample(const Grant& grant, const std::string& run, std::int64_t now_ns);

 private:
  struct Impl;
  explicit Standing(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rehearse::ledger
