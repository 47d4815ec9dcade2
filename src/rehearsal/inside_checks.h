// The probes that were declared: run inside when the action has ended.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ledger/state.h"
#include "rehearsal/recording.h"
#include "report/run_record.h"
#include "sandbox/after_run.h"
#include "verdict/expectation.h"

namespace rehearse {

class InsideChecks final : public sandbox::AfterAction {
 public:
  /// Borrowed; absent if nothing was declared.
  explicit InsideChecks(const verdict::Expectations* expected) : expected_(expected) {}

  std::optional<sandbox::InsideProgram> next() override;
  void ended(sandbox::InsideEnd end) override;

  /// After the run: into the record, with the processes that they were. `recording` has finished; absent:
  /// nothing was recorded. `bundle`: of the run, with its manifest.
  void describe(const ledger::Bundle& bundle, const Recording* recording, report::RunRecord& record) const;
  /// How the probes ended, one for each that was declared.
  [[nodiscard]] std::vector<verdict::ProbeOutcome> outcomes() const;

 private:
  [[nodiscard]] std::size_t probes() const { return expected_ == nullptr ? 0 : expected_->probes.size(); }

  const verdict::Expectations* expected_;
  std::vector<sandbox::InsideEnd> ends_;
};

}  // namespace rehearse
