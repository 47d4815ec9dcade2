#include "units/transaction.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "units/unit_name.h"

namespace rehearse::units {
namespace {

constexpr std::array<std::pair<JobType, std::string_view>, 9> kTypes = {{
    {JobType::kStart, "start"},
    {JobType::kVerifyActive, "verify-active"},
    {JobType::kStop, "stop"},
    {JobType::kReload, "reload"},
    {JobType::kRestart, "restart"},
    {JobType::kNop, "nop"},
    {JobType::kTryRestart, "try-restart"},
    {JobType::kTryReload, "try-reload"},
    {JobType::kReloadOrStart, "reload-or-start"},
}};

constexpr std::array<std::string_view, 8> kModes = {"fail",
                                                    "replace",
                                                    "replace-irreversibly",
                                                    "isolate",
                                                    "flush",
                                                    "ignore-dependencies",
                                                    "ignore-requirements",
                                                    "triggering"};

/// job_type_collapse()
JobType collapse(JobType type, const Unit& unit) {
  switch (type) {
    case JobType::kTryRestart:
      return unit.active() || unit.active_state == "activating" ? JobType::kRestart : JobType::kNop;
    case JobType::kTryReload:
      return unit.active() ? JobType::kReload : JobType::kNop;
    case JobType::kReloadOrStart:
      return unit.active() ? JobType::kReload : JobType::kStart;
    default:
      return type;
  }
}

class Planner {
 public:
  Planner(UnitTable& table, bool alone) : table_(table), alone_(alone) {}

  BusResult<void> add(Unit& unit, JobType type) {
    if (jobs_.size() >= kMaxJobs) return refuse(bus_error::kLimitsExceeded, "Too many jobs.");
    if (type != JobType::kStop) {
      if (auto loaded = UnitTable::check_loaded(unit); !loaded) return loaded;
    }
    if (!is_applicable(unit, type)) {
      return refuse(bus_error::kNotApplicable,
                    fmt::format("Job type {} is not applicable for unit {}.", to_string(type), unit.id));
    }
    if (!seen_.insert(unit.id).second) return {};
    jobs_.push_back({unit.id, type});
    if (alone_) return {};
    if (type == JobType::kStart || type == JobType::kRestart) {
      if (auto pulled = pull_in(unit); !pulled) return pulled;
    }
    if (type == JobType::kStop) propagate(unit, JobType::kStop);
    if (type == JobType::kRestart) propagate(unit, JobType::kRestart);
    if (type == JobType::kReload) {
      each(unit, "PropagatesReloadTo", Reach::kLoaded, [&](Unit& other) {
        if (other.active()) (void)add(other, JobType::kReload);
      });
    }
    return {};
  }

  /// Everything active that neither belongs to what is started nor wants to stay.
  void add_isolation(Unit& anchor) {
    std::set<std::string> kept = {anchor.id};
    std::vector<std::string> open = {anchor.id};
    while (!open.empty()) {
      Unit* unit = table_.loaded(open.back());
      open.pop_back();
      if (unit == nullptr) continue;
      for (const char* kind : {"Requires", "BindsTo", "Wants", "Upholds"}) {
        for (std::string& name : table_.dependencies(*unit, kind)) {
          if (kept.insert(name).second) open.push_back(std::move(name));
        }
      }
    }
    std::vector<std::string> active;
    for (const auto& [id, unit] : table_.units()) {
      if (unit.active()) active.push_back(id);
    }
    const auto stays = [&](const std::string& id) {
      const std::string_view type = unit_type(id);
      if (kept.contains(id) || seen_.contains(id) || type == "scope" || type == "slice" || type == "device")
        return true;
      Unit* unit = table_.loaded(id);
      return unit == nullptr || table_.flag(*unit, "IgnoreOnIsolate");
    };
    for (const std::string& id : active) {
      if (stays(id)) continue;
      Unit* unit = table_.loaded(id);
      const auto triggers = table_.dependencies(*unit, "TriggeredBy");
      if (std::none_of(triggers.begin(), triggers.end(), stays)) (void)add(*unit, JobType::kStop);
    }
  }

  void add_triggering(Unit& anchor) {
    each(anchor, "TriggeredBy", Reach::kLoaded, [&](Unit& other) {
      if (other.active()) (void)add(other, JobType::kStop);
    });
  }

  std::vector<Job> take() { return std::move(jobs_); }

 private:
  bool is_applicable(Unit& unit, JobType type) {
    if (type == JobType::kStop) return !table_.flag(unit, "Perpetual");
    if (type == JobType::kRestart) return !table_.flag(unit, "Perpetual") && unit_type(unit.id) != "device";
    if (type == JobType::kReload) return table_.can_reload(unit);
    return true;
  }

  /// What is to be started is loaded for that; what is to be stopped is loaded already.
  enum class Reach { kLoaded, kAll };
  template <class Use>
  void each(Unit& unit, std::string_view kind, Reach reach, Use use) {
    for (const std::string& name : table_.dependencies(unit, kind)) {
      if (!is_unit_name(name)) continue;
      Unit* other = reach == Reach::kAll ? table_.load(name) : table_.loaded(name);
      if (other != nullptr && !seen_.contains(other->id)) use(*other);
    }
  }

  BusResult<void> pull_in(Unit& unit) {
    BusResult<void> failed;
    const std::size_t own = jobs_.size() - 1;
    each(unit, "Requisite", Reach::kAll, [&](Unit& other) {
      if (!other.active()) jobs_[own].result = "dependency";
    });
    for (const char* kind : {"Requires", "BindsTo"}) {
      each(unit, kind, Reach::kAll, [&](Unit& other) {
        if (other.active() || !failed) return;
        auto added = add(other, JobType::kStart);
        if (!added && added.error().name != bus_error::kNotApplicable) failed = std::move(added);
        if (const Job* job = job_of(other.id); job != nullptr && job->result != "done")
          jobs_[own].result = "dependency";
      });
    }
    if (!failed) return failed;
    for (const char* kind : {"Wants", "Upholds"}) {
      each(unit, kind, Reach::kAll, [&](Unit& other) {
        if (!other.active()) add_or_leave(other, JobType::kStart);
      });
    }
    for (const char* kind : {"Conflicts", "ConflictedBy"}) {
      each(unit, kind, Reach::kLoaded, [&](Unit& other) {
        if (other.active()) (void)add(other, JobType::kStop);
      });
    }
    return {};
  }

  /// A unit that is only wanted comes with all it requires or not at all.
  void add_or_leave(Unit& unit, JobType type) {
    const std::size_t size = jobs_.size();
    if (add(unit, type)) return;
    for (std::size_t i = size; i < jobs_.size(); ++i) seen_.erase(jobs_[i].unit);
    jobs_.resize(size);
  }

  void propagate(Unit& unit, JobType type) {
    for (const char* kind : {"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo"}) {
      if (type == JobType::kRestart && std::string_view(kind) == "PropagatesStopTo") continue;
      each(unit, kind, Reach::kLoaded, [&](Unit& other) {
        if (!other.inactive()) (void)add(other, type);
      });
    }
  }

  [[nodiscard]] const Job* job_of(std::string_view unit) const {
    const auto found =
        std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.unit == unit; });
    return found == jobs_.end() ? nullptr : &*found;
  }

  UnitTable& table_;
  bool alone_;
  std::set<std::string> seen_;
  std::vector<Job> jobs_;
};

}  // namespace

std::string_view to_string(JobType type) {
  const auto* found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& entry) { return entry.first == type; });
  return found->second;
}

std::optional<JobType> parse_job_type(std::string_view text) {
  const auto* found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& entry) { return entry.second == text; });
  return found == kTypes.end() ? std::nullopt : std::optional(found->first);
}

bool is_job_mode(std::string_view mode) {
  return std::find(kModes.begin(), kModes.end(), mode) != kModes.end();
}

bool ends_the_system(std::string_view unit) {
  static constexpr std::array<std::string_view, 7> kTargets = {
      "reboot.target", "poweroff.target", "halt.target",       "kexec.target",
      "exit.target",   "shutdown.target", "soft-reboot.target"};
  return std::find(kTargets.begin(), kTargets.end(), unit) != kTargets.end();
}

BusResult<std::vector<Job>> plan_jobs(UnitTable& table, Unit& unit, JobType type, std::string_view mode) {
  // bus_unit_queue_job() and manager_add_job(), in their order.
  const bool loads = unit.load_state == "loaded" || unit.load_state == "masked";
  if (type == JobType::kStop && !loads && unit.active_state == "inactive") {
    return refuse(bus_error::kNoSuchUnit, fmt::format("Unit {} not loaded.", unit.id));
  }
  const bool starts = type == JobType::kStart || type == JobType::kRestart || type == JobType::kTryRestart ||
                      (type == JobType::kReloadOrStart && !unit.active());
  const bool stops = type == JobType::kStop || type == JobType::kRestart || type == JobType::kTryRestart;
  if ((starts && table.flag(unit, "RefuseManualStart")) || (stops && table.flag(unit, "RefuseManualStop"))) {
    return refuse(
        bus_error::kOnlyByDependency,
        fmt::format("Operation refused, unit {} may be requested by dependency only (it is configured to "
                    "refuse manual start/stop).",
                    unit.id));
  }
  if (mode == "isolate" && type != JobType::kStart) {
    return refuse(bus_error::kInvalidArgs, "Isolate is only valid for start.");
  }
  if (mode == "isolate" && !table.flag(unit, "AllowIsolate")) {
    return refuse(bus_error::kNoIsolation, "Operation refused, unit may not be isolated.");
  }
  if (mode == "triggering" && type != JobType::kStop) {
    return refuse(bus_error::kInvalidArgs, "--job-mode=triggering is only valid for stop.");
  }
  const bool alone =
      mode == "ignore-dependencies" || mode == "ignore-requirements" || ends_the_system(unit.id);
  Planner planner(table, alone);
  if (auto added = planner.add(unit, collapse(type, unit)); !added) return tl::make_unexpected(added.error());
  if (mode == "isolate") planner.add_isolation(unit);
  if (mode == "triggering") planner.add_triggering(unit);
  return planner.take();
}

void apply_jobs(UnitTable& table, std::vector<Job>& jobs) {
  for (Job& job : jobs) {
    Unit* unit = table.loaded(job.unit);
    if (unit == nullptr || job.result != "done") continue;
    switch (job.type) {
      case JobType::kStart:
        table.start(*unit);
        break;
      case JobType::kStop:
        table.stop(*unit);
        break;
      case JobType::kRestart:
        table.stop(*unit);
        table.start(*unit);
        break;
      case JobType::kReload:
        if (!unit->active()) job.result = "invalid";
        break;
      default:
        break;
    }
  }
}

}  // namespace rehearse::units
