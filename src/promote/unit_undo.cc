#include "promote/unit_undo.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "promote/unit_plan.h"

namespace rehearse::promote {
namespace {

using ledger::StepResult;
using ledger::UnitState;
using ledger::UnitStep;

constexpr const char* kHasEnded = "it ran, and has ended: nothing takes back what it did";
constexpr const char* kMayHaveRun = "whether it ran is not known: nothing takes back what it did";

/// One unit over all steps of a promotion.
struct Touched {
  std::string id;
  std::string before;
  std::string after;
  bool asked = false;  ///< a step is about it
  bool ran = false;
  bool restarted = false;
  bool reloaded = false;
};

UnitStep lost(UnitStep step, std::string why) {
  step.irreversible = true;
  step.result = StepResult::kLeft;
  step.detail = std::move(why);
  return step;
}

/// Of one that failed or was cut off nobody knows what it has done: where the unit is now tells.
bool was_asked(const UnitStep& step) {
  if (step.result == StepResult::kLeft || step.result == StepResult::kPending) return false;
  return step.result != StepResult::kInterrupted || step.unit.empty() || !step.before.empty();
}

/// Its program has run, or may have, and is over.
bool came_and_went(const UnitStep& step) {
  if (!is_start(step) || step.before.empty() || is_up(step.before)) return false;
  if (step.after.empty() || is_up(step.after)) return false;
  return step.result != StepResult::kFailed || (step.after == "failed" && step.before != "failed");
}

class Undoing {
 public:
  explicit Undoing(std::span<const UnitState> states) : states_(states) {
    for (const UnitState& state : states) {
      Touched& unit = touched(state.id);
      if (unit.before.empty()) unit.before = state.before;
      if (unit.after.empty()) unit.after = state.after;
      unit.ran = unit.ran || state.ran;
    }
  }

  void take(const UnitStep& step) {
    if (!was_asked(step)) return;
    reload_ = reload_ || step.verb == "daemon-reload" || step.verb == "daemon-reexec";
    if (step.irreversible) lost_.push_back(lost(step, "nothing takes it back"));
    if (step.irreversible || !is_job(step)) return;
    if (came_and_went(step))
      lost_.push_back(lost(step, step.result == StepResult::kInterrupted ? kMayHaveRun : kHasEnded));
    const auto known = std::find_if(states_.begin(), states_.end(),
                                    [&](const UnitState& state) { return state.name == step.unit; });
    const bool first = known == states_.end() && find(step.unit) == units_.end();
    Touched& unit = touched(known == states_.end() ? step.unit : known->id);
    if (first) unit.before = step.before;
    if (known == states_.end()) unit.after = step.after;
    unit.asked = true;
    unit.reloaded = unit.reloaded || step.verb == "reload";
    unit.restarted = unit.restarted || (step.verb != "reload" && step.verb != "stop");
  }

  std::vector<UnitStep> plan() {
    std::vector<UnitStep> undo;
    for (auto unit = units_.rbegin(); unit != units_.rend(); ++unit) {
      // Where it is now was asked for: if even that is not known, it is to be down in any case.
      const bool up = is_up(unit->after) || (unit->after.empty() && unit->asked);
      if (!unit->before.empty() && !is_up(unit->before) && up) undo.push_back(request("stop", unit->id));
    }
    if (reload_) undo.emplace_back().verb = "daemon-reload";
    for (const Touched& unit : units_) {
      if (!unit.before.empty() && unit.before != "failed" && !is_up(unit.before) && unit.after == "failed")
        undo.push_back(request("reset-failed", unit.id));
    }
    for (const Touched& unit : units_) add_start(unit, undo);
    undo.insert(undo.end(), std::make_move_iterator(lost_.begin()), std::make_move_iterator(lost_.end()));
    return undo;
  }

 private:
  std::vector<Touched>::iterator find(const std::string& id) {
    return std::find_if(units_.begin(), units_.end(), [&](const Touched& unit) { return unit.id == id; });
  }
  Touched& touched(const std::string& id) {
    auto known = find(id);
    if (known == units_.end()) {
      known = units_.emplace(units_.end());
      known->id = id;
    }
    return *known;
  }

  void add_start(const Touched& unit, std::vector<UnitStep>& undo) {
    if (unit.before.empty()) {
      if (unit.asked) lost_.push_back(lost(request("start", unit.id), "where it was before is not known"));
    } else if (!is_up(unit.before)) {
      if (unit.ran && !unit.asked) lost_.push_back(lost(request("start", unit.id), kHasEnded));
    } else if (!is_up(unit.after)) {
      undo.push_back(request("start", unit.id));
    } else if (unit.restarted) {
      undo.push_back(request("try-restart", unit.id));
    } else if (unit.reloaded) {
      undo.push_back(request("try-reload-or-restart", unit.id));
    }
  }

  std::span<const UnitState> states_;
  std::vector<Touched> units_;
  std::vector<UnitStep> lost_;
  bool reload_ = false;
};

}  // namespace

std::vector<UnitStep> plan_unit_undo(std::span<const UnitStep> done, std::span<const UnitState> states) {
  Undoing undoing(states);
  for (const UnitStep& step : done) undoing.take(step);
  return undoing.plan();
}

std::size_t leading_stops(std::span<const UnitStep> steps) {
  const auto first = std::find_if(steps.begin(), steps.end(), [](const UnitStep& step) {
    return step.verb != "stop" || step.result != StepResult::kPending;
  });
  return static_cast<std::size_t>(first - steps.begin());
}

}  // namespace rehearse::promote
