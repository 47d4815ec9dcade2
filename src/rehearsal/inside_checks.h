// What is run inside when the action has ended: first validators of the configuration that it changed, then
// the probes that were declared.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ledger/state.h"
#include "rehearsal/recording.h"
#include "rehearsal/validators.h"
#include "report/run_record.h"
#include "sandbox/after_run.h"
#include "verdict/expectation.h"
#include "verdict/failure.h"

namespace rehearse {

class InsideChecks final : public sandbox::AfterAction {
 public:
  /// All borrowed. `expected`: absent if nothing was declared.
  InsideChecks(const ledger::Bundle& bundle, const sandbox::Plan& plan, const verdict::Expectations* expected,
               bool validate)
      : bundle_(bundle), plan_(plan), expected_(expected) {
    if (!validate) validations_.emplace();
  }

  std::optional<sandbox::InsideProgram> next() override;
  void ended(sandbox::InsideEnd end) override;

  /// After the run: into the record, with the processes that they were. `recording` has finished; absent:
  /// nothing was recorded.
  void describe(const Recording* recording, report::RunRecord& record) const;
  /// How the probes ended, one for each that was declared.
  [[nodiscard]] std::vector<verdict::ProbeOutcome> outcomes() const;

 private:
  [[nodiscard]] std::size_t probes() const { return expected_ == nullptr ? 0 : expected_->probes.size(); }

  const ledger::Bundle& bundle_;
  const sandbox::Plan& plan_;
  const verdict::Expectations* expected_;
  std::optional<Validations> validations_;  ///< found when the action has ended
  std::vector<sandbox::InsideEnd> ends_;    ///< of validations, then of probes
};

/// For the failures: what the validators said. One that is not installed, or could not tell, becomes a gap.
std::vector<verdict::ConfigCheck> config_checks(report::RunRecord& record);

}  // namespace rehearse
