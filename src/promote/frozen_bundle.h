// A run's bundle as a promotion may use it: durable, whole, and the one whose digest was approved.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "effects/change.h"
#include "effects/read_list.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::promote {

/// "RUN@DIGEST" as the operator wrote it.
struct RunAtDigest {
  std::string run;
  std::string digest;  ///< lower-case hex, 12 to 64 digits
};
/// kUsage if it is anything else. "sha256:" before the digits may be left out.
Result<RunAtDigest> parse_run_at_digest(std::string_view text);

struct FrozenBundle {
  ledger::Bundle bundle;  ///< locked
  report::RunRecord record;
  std::vector<effects::Change> changes;  ///< of the manifest, in its order
  std::vector<effects::HostRead> reads;  ///< of the read list; empty without a trace
  Sha256 seal = {};                      ///< over the bytes of run.json, manifest, reads, policy and trace
};

/// Opens and locks it (waiting for the child that freezes it), makes it durable if it is not, and verifies:
/// the digest is that of the record and begins with `digest` (empty: any), manifest and read list have the
/// roots that the record names, and the policy its digest. kDataError for what is damaged, kNotApproved for
/// another digest.
Result<FrozenBundle> open_frozen(const ledger::StateDir& state, std::string_view run,
                                 std::string_view digest);

}  // namespace rehearse::promote
