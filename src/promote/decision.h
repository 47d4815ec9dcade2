// Who may decide about a run, and which decision lets a promotion begin.
#pragma once

#include <cstdint>
#include <string>

#include "base/digest.h"
#include "base/result.h"
#include "ledger/decisions.h"
#include "report/run_record.h"

namespace rehearse::promote {

/// The person behind a requester: the login user if the kernel knows one, else who claims to have used sudo,
/// else the user itself.
std::uint32_t person_of(const report::Requester& requester);

/// The rule while there is no policy: a person at a terminal, about a run of their own. Units, sockets and
/// programs without a terminal may not. kNoPermission says which of it does not hold.
Result<void> may_decide(const report::Requester& who, const report::Requester& requester_of_run);

/// kInconclusive if the run's list of changes lacks anything: what it did cannot be installed as it was.
Result<void> is_known_whole(const report::RunRecord& record);

/// The newest decision about exactly this digest and these files that is an approval, unused and not expired.
/// kNotApproved says why there is none.
Result<ledger::Decision> valid_decision(ledger::Decisions& decisions, const std::string& run,
                                        const std::string& digest, const Sha256& seal, std::int64_t now_ns);

}  // namespace rehearse::promote
