// Failures and expectations of a run: the facts gathered from its record and evidence, judged by src/verdict.
#pragma once

#include <vector>

#include "ledger/state.h"
#include "rehearsal/inside_checks.h"
#include "rehearsal/recording.h"
#include "report/run_record.h"
#include "sandbox/evidence.h"
#include "verdict/expectation.h"
#include "verdict/finding.h"

namespace rehearse {

struct FindingSources {
  const ledger::Bundle* bundle = nullptr;
  const sandbox::Evidence* evidence = nullptr;
  bool terminal = false;                 ///< the action had one: all that it printed is in stdout
  const Recording* recording = nullptr;  ///< finished; none: nothing was recorded
  const verdict::Expectations* expected = nullptr;
  const InsideChecks* checks = nullptr;
};

/// Fills in what the record says of expectations, probes and validators, and gives the findings.
std::vector<verdict::Finding> find_more(const FindingSources& from, report::RunRecord& record);

}  // namespace rehearse
