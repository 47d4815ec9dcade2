// Jobs: what a request for one unit means for the units that depend on it.
//
// Source: transaction.c and job.c of systemd 252. Jobs of units that are already in the wanted state are left
// out, and what those depend on is not looked at; ordering does not matter, since every job ends at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "units/bus_error.h"
#include "units/unit_table.h"

namespace rehearse::units {

enum class JobType {
  kStart,
  kVerifyActive,
  kStop,
  kReload,
  kRestart,
  kNop,
  // Become one of the above by the unit's state.
  kTryRestart,
  kTryReload,
  kReloadOrStart,
};
std::string_view to_string(JobType type);
std::optional<JobType> parse_job_type(std::string_view text);

/// replace, fail, isolate, ...
bool is_job_mode(std::string_view mode);

struct Job {
  std::string unit;
  JobType type = JobType::kNop;
  std::string_view result = "done";  ///< as JobRemoved has it
};

/// Targets whose start ends the system (reboot.target, ...). What it would stop, the action itself among it,
/// is not played through: the action goes on.
bool ends_the_system(std::string_view unit);

/// Jobs of one request; dependencies nest no deeper.
inline constexpr std::size_t kMaxJobs = 512;

/// The jobs that a request for `unit` would queue; the first is the unit's own. Errors are those of the
/// manager.
BusResult<std::vector<Job>> plan_jobs(UnitTable& table, Unit& unit, JobType type, std::string_view mode);
/// Puts the units into the states the jobs lead to.
void apply_jobs(UnitTable& table, std::vector<Job>& jobs);

}  // namespace rehearse::units
