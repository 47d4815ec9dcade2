#include "promote/unit_work.h"

#include <algorithm>

#include "promote/unit_plan.h"
#include "promote/unit_runner.h"

namespace rehearse::promote {

using ledger::StepResult;
using ledger::UnitStep;
using ledger::UnitSteps;

bool UnitWork::pending() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const UnitStep& step) { return step.result == StepResult::kPending; });
}

void UnitWork::leave(const std::string& why) {
  for (UnitStep& step : steps_) {
    if (step.result != StepResult::kPending) continue;
    step.result = StepResult::kLeft;
    step.detail = why;
  }
}

Result<void> UnitWork::announce(const ledger::StateDir& state, const std::string& promotion) const {
  if (steps_.empty()) return {};
  RH_TRY(UnitSteps table, UnitSteps::open(state));
  return table.put(promotion, steps_);
}

void UnitWork::withdraw(const ledger::StateDir& state, const std::string& promotion) {
  if (auto table = UnitSteps::open(state)) (void)table->remove(promotion);
}

void UnitWork::carry_out(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order,
                         const std::function<void(std::uint64_t)>& progress) {
  if (!pending()) return;
  // If the ledger cannot be written any more, what was approved is done all the same, and reported.
  auto table = UnitSteps::open(state);
  UnitRunner runner(order.most_ns);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    UnitStep& step = steps_[i];
    if (step.result != StepResult::kPending) continue;
    const auto write_down = [&] {
      if (table) (void)table->set(promotion, i, step);
    };
    if (progress) progress(i + 1);
    runner.carry_out(step, write_down);
    write_down();
  }
}

std::vector<std::string> UnitWork::failed() const {
  std::vector<std::string> lines;
  for (const UnitStep& step : steps_) {
    if (step.result == StepResult::kFailed) lines.push_back(line_of(step) + ": " + step.detail);
  }
  return lines;
}

Result<std::vector<std::string>> name_interrupted_units(const ledger::StateDir& state,
                                                        const std::string& promotion) {
  std::vector<std::string> lines;
  RH_TRY(UnitSteps table, UnitSteps::open(state));
  RH_TRY(auto steps, table.of(promotion));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    UnitStep& step = steps[i];
    if (step.result != StepResult::kPending && step.result != StepResult::kBegun) continue;
    const char* what = step.result == StepResult::kPending
                           ? "was not asked of the service manager: "
                           : "was asked of the service manager, with what result is not known: ";
    lines.push_back(what + line_of(step));
    step.result = StepResult::kInterrupted;
    RH_CHECK(table.set(promotion, i, step));
  }
  return lines;
}

}  // namespace rehearse::promote
