// Whether what is kept of a run is what the run left, as far as that is told without reading all of it: a
// report is made of run.json, and vouches for files that it does not look into.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::cli {

/// That run.json is not another than it was: by its own digest, and by the verdict and digests that the
/// ledger noted when the run had ended. Else kDataError: nothing that it says can be shown as the run's. What
/// the ledger does not have, or where it cannot be read, is not compared: false.
Result<bool> check_record(const ledger::StateDir& state, const ledger::Bundle& bundle,
                          const report::RunRecord& record);

/// That the manifest is the one that run.json names, by the root that it states at its end; reading it shows
/// whether that is its own.
Result<> check_manifest(int manifest_fd, const report::RunRecord& record);

/// What is wrong with the files of events and of reads, a line each: gone, cut off, or not the ones that the
/// run was finished with. The list of reads is read whole; of the events the heads of their blocks, not what
/// is in them. Empty: nothing is.
std::vector<std::string> damaged_evidence(const ledger::Bundle& bundle, const report::RunRecord& record);

}  // namespace rehearse::cli
