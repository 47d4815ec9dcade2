#include "promote/unit_work.h"

#include <algorithm>
#include <set>
#include <utility>

#include "promote/unit_plan.h"
#include "promote/unit_runner.h"
#include "promote/unit_undo.h"

namespace rehearse::promote {

using ledger::StepResult;
using ledger::UnitState;
using ledger::UnitStep;
using ledger::UnitSteps;

namespace {

constexpr std::size_t kMostUnits = 1024;

std::vector<std::string> names_of(const std::vector<UnitState>& units) {
  std::vector<std::string> names;
  for (const UnitState& unit : units) names.push_back(unit.name);
  return names;
}

}  // namespace

UnitWork::UnitWork(std::vector<UnitStep> steps, const std::vector<std::string>& units)
    : steps_(std::move(steps)) {
  for (const std::string& unit : units) {
    units_.emplace_back().name = unit;
    units_.back().id = unit;
  }
}

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

void UnitWork::stop_early() {
  early_ = leading_stops(steps_);
}

Result<void> UnitWork::announce(const ledger::StateDir& state, const std::string& promotion) const {
  if (steps_.empty()) return {};
  RH_TRY(UnitSteps table, UnitSteps::open(state));
  return table.put(promotion, steps_);
}

void UnitWork::withdraw(const ledger::StateDir& state, const std::string& promotion) {
  if (auto table = UnitSteps::open(state)) (void)table->remove(promotion);
}

void UnitWork::carry_out_early(const ledger::StateDir& state, const std::string& promotion,
                               const UnitOrder& order, const Progress& progress) {
  carry_out_some(early_, state, promotion, order, progress);
}

void UnitWork::carry_out(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order,
                         const Progress& progress) {
  carry_out_some(steps_.size(), state, promotion, order, progress);
  if (!looked_at_) return;
  look_after(order);
  tell_who_came_and_went();
  keep_states(state, promotion);
}

void UnitWork::carry_out_some(std::size_t count, const ledger::StateDir& state, const std::string& promotion,
                              const UnitOrder& order, const Progress& progress) {
  const auto end = steps_.begin() + static_cast<std::ptrdiff_t>(count);
  const bool any = std::any_of(steps_.begin(), end,
                               [](const UnitStep& step) { return step.result == StepResult::kPending; });
  if (!any) return;
  if (!std::exchange(looked_at_, true)) {
    look_before(order);
    keep_states(state, promotion);
  }
  // If the ledger cannot be written any more, what was approved is done all the same, and reported.
  auto table = UnitSteps::open(state);
  const UnitRunner runner(order.most_ns);
  for (std::size_t i = 0; i < count; ++i) {
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

void UnitWork::add_and_carry_out(UnitStep step, const ledger::StateDir& state, const std::string& promotion,
                                 const UnitOrder& order) {
  steps_.push_back(std::move(step));
  carry_out_some(steps_.size(), state, promotion, order, {});
}

void UnitWork::take_back(const ledger::StateDir& state, const std::string& promotion,
                         const UnitOrder& order) {
  if (!looked_at_) return;
  leave("the files have not followed");
  look_after(order);
  std::vector<std::string> started;
  for (const UnitState& unit : std::vector<UnitState>(units_)) {
    if (!is_up(unit.before) || is_up(unit.after) || unit.after.empty()) continue;
    if (std::find(started.begin(), started.end(), unit.id) != started.end()) continue;
    started.push_back(unit.id);
    add_and_carry_out(request("start", unit.id), state, promotion, order);
  }
}

void UnitWork::forget_failures(const ledger::StateDir& state, const std::string& promotion,
                               const UnitOrder& order, std::span<const UnitState> before) {
  if (!looked_at_) return;
  std::vector<std::string> names;
  for (const UnitState& unit : before) {
    const bool was_failed = is_up(unit.before) || unit.before == "failed" || unit.before.empty();
    if (!was_failed && std::find(names.begin(), names.end(), unit.id) == names.end())
      names.push_back(unit.id);
  }
  const auto seen = UnitRunner(order.most_ns).look_at(names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (seen[i].state == "failed")
      add_and_carry_out(request("reset-failed", names[i]), state, promotion, order);
  }
}

/// Those that follow them here are looked at too: they may be others than in the rehearsal.
void UnitWork::look_before(const UnitOrder& order) {
  const UnitRunner runner(order.most_ns);
  auto seen = runner.look_at(names_of(units_));
  std::set<std::string> known;
  for (std::size_t i = 0; i < units_.size(); ++i) {
    units_[i].before = seen[i].state;
    if (!seen[i].id.empty()) units_[i].id = seen[i].id;
    known.insert({units_[i].name, units_[i].id});
  }
  while (true) {
    std::vector<std::string> followers;
    for (const UnitRunner::Seen& one : seen) {
      for (const std::string& name : one.followers) {
        if (known.size() < kMostUnits && known.insert(name).second) followers.push_back(name);
      }
    }
    if (followers.empty()) return;
    seen = runner.look_at(followers);
    // What is down cannot go down.
    std::erase_if(seen, [](const UnitRunner::Seen& one) { return !is_up(one.state); });
    for (const UnitRunner::Seen& one : seen) units_.push_back({one.id, one.id, one.state, "", false});
  }
}

void UnitWork::look_after(const UnitOrder& order) {
  const auto seen = UnitRunner(order.most_ns).look_at(names_of(units_));
  for (std::size_t i = 0; i < units_.size(); ++i) {
    UnitState& unit = units_[i];
    unit.after = seen[i].state;
    if (seen[i].id.empty() || seen[i].id == unit.id) continue;
    // The steps have made it an alias, or another one: where it was is where that one was.
    const auto same = std::find_if(units_.begin(), units_.end(), [&](const UnitState& other) {
      return &other != &unit && other.name == seen[i].id;
    });
    unit.before = same == units_.end() ? std::string() : same->before;
    unit.id = seen[i].id;
  }
}

void UnitWork::tell_who_came_and_went() {
  for (UnitState& unit : units_) {
    unit.ran = false;
    if (unit.before.empty() || is_up(unit.before) || unit.after.empty() || is_up(unit.after)) continue;
    for (const UnitStep& step : steps_) {
      if (step.result != StepResult::kDone) continue;
      for (const std::string& also : step.also) {
        const bool about = also.substr(also.find(' ') + 1) == unit.id;
        if (about) unit.ran = also.starts_with("start ") || also.starts_with("restart ");
      }
    }
  }
}

void UnitWork::keep_states(const ledger::StateDir& state, const std::string& promotion) {
  auto table = UnitSteps::open(state);
  const Result<void> kept =
      table ? table->put_states(promotion, units_) : tl::make_unexpected(std::move(table).error());
  if (!kept)
    unkept_ = "where the units were is not on record, a rollback will go by the requests alone: " +
              kept.error().what;
}

std::vector<std::string> UnitWork::failed() const {
  std::vector<std::string> lines;
  for (const UnitStep& step : steps_) {
    if (step.result == StepResult::kFailed) lines.push_back(line_of(step) + ": " + step.detail);
  }
  return lines;
}

void look_again(std::vector<UnitStep>& steps, std::vector<UnitState>& units, const UnitOrder& order) {
  const UnitRunner runner(order.most_ns);
  const auto fill = [&runner](auto& all, auto name_of, auto wanted) {
    std::vector<std::string> names;
    for (const auto& one : all) {
      if (wanted(one)) names.push_back(name_of(one));
    }
    const auto seen = runner.look_at(names);
    auto next = seen.begin();
    for (auto& one : all) {
      if (wanted(one)) one.after = (next++)->state;
    }
  };
  fill(
      units, [](const UnitState& unit) { return unit.name; },
      [](const UnitState& unit) { return unit.after.empty() && !unit.before.empty(); });
  fill(
      steps, [](const UnitStep& step) { return step.unit; },
      [](const UnitStep& step) { return step.after.empty() && !step.before.empty(); });
}

Result<std::vector<std::string>> name_early_units(const ledger::StateDir& state,
                                                  const std::string& promotion) {
  std::vector<std::string> lines;
  RH_TRY(UnitSteps table, UnitSteps::open(state));
  RH_TRY(const auto steps, table.of(promotion));
  for (const UnitStep& step : steps) {
    if (step.result == StepResult::kPending || step.result == StepResult::kLeft) continue;
    lines.push_back("was asked of the service manager before the files, and is as it left it: " +
                    line_of(step));
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
