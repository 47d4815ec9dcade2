// The five columns uid, loginuid, sudo_uid, tty, unit that say who did something.
#pragma once

#include "ledger/database.h"
#include "report/run_record.h"

namespace rehearse::ledger {

/// Binds them to the parameters from `first` on.
void bind_who(Statement& statement, int first, const report::Requester& who);
report::Requester read_who(const Statement& row, int first);

}  // namespace rehearse::ledger
