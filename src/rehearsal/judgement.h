// A run, as kept, judged by a policy: when it has ended, and whenever somebody asks again. The same bundle
// and policy give the same verdict.
#pragma once

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"
#include "verdict/judge.h"
#include "verdict/policy.h"

namespace rehearse {

/// What rules may ask of the run. Borrows the record, and the descriptors of the manifest and the list of
/// what was read (-1: there is none).
verdict::PolicyFacts policy_facts(const report::RunRecord& record, int manifest_fd, int reads_fd);

/// Judges the record, whose findings that do not come from a policy are taken as they are. Does not change
/// it.
verdict::Judgement judge_record(const report::RunRecord& record, const verdict::Policy& policy,
                                int manifest_fd, int reads_fd);

/// The same, with the files of its bundle.
Result<verdict::Judgement> judge_bundle(const ledger::Bundle& bundle, const report::RunRecord& record,
                                        const verdict::Policy& policy);

/// False where the clock cannot be right: it says less than when the policy was written, or than when
/// another run began. Then nobody knows whether an exception has expired.
bool clock_is_trusted(const ledger::StateDir& state, const report::RunRecord& record,
                      const verdict::Policy& policy);

}  // namespace rehearse
