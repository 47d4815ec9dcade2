// Who on this host would notice a run's changes if they were promoted now: processes that hold what changes,
// the services that they belong to, units that were asked for, people who are logged in.
#pragma once

#include "base/result.h"
#include "report/run_record.h"

namespace rehearse::promote {

/// Asks the host: some milliseconds, or some tens on one with thousands of processes. `manifest_fd`: of the
/// run. kDataError if that is damaged; what cannot be read of processes is left out.
Result<report::Affected> find_affected(const report::RunRecord& record, int manifest_fd);

/// "nginx.service" of its unit file, or of a drop-in, where a service manager looks for them; else "". Pure.
std::string unit_of_file(std::string_view path);

}  // namespace rehearse::promote
