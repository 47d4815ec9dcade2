#include "promote/unit_undo.h"

#include <string>
#include <vector>

#include "catch2/catch.hpp"
#include "promote/unit_plan.h"

using namespace rehearse;
using namespace rehearse::promote;
using ledger::StepResult;
using ledger::UnitState;
using ledger::UnitStep;

namespace {

using Lines = std::vector<std::string>;
using Steps = std::vector<UnitStep>;
using States = std::vector<UnitState>;

UnitStep done(std::string verb, std::string unit, std::string before, std::string after) {
  UnitStep step;
  step.verb = std::move(verb);
  step.unit = std::move(unit);
  step.result = StepResult::kDone;
  step.before = std::move(before);
  step.after = std::move(after);
  return step;
}

UnitState was(std::string name, std::string before, std::string after, std::string id = {}) {
  UnitState state;
  state.id = id.empty() ? name : std::move(id);
  state.name = std::move(name);
  state.before = std::move(before);
  state.after = std::move(after);
  return state;
}

Lines undone(const Steps& steps, const States& states = {}) {
  Lines lines;
  for (const UnitStep& step : plan_unit_undo(steps, states))
    lines.push_back((step.result == StepResult::kLeft ? "left " : "") + line_of(step) +
                    (step.irreversible ? " !" : ""));
  return lines;
}

}  // namespace

TEST_CASE("undoing goes by where the units were") {
  CHECK(undone({done("start", "a.service", "inactive", "active"),
                done("start", "b.service", "failed", "active")}) ==
        Lines{"stop b.service", "stop a.service"});
  CHECK(undone({done("start", "a.service", "active", "active")}) == Lines{"try-restart a.service"});
  CHECK(undone({done("stop", "a.service", "active", "inactive"), done("daemon-reload", "", "", ""),
                done("start", "new.service", "inactive", "active")}) ==
        Lines{"stop new.service", "daemon-reload", "start a.service"});
  CHECK(undone({done("stop", "a.service", "active", "inactive"),
                done("start", "a.service", "inactive", "active")}) == Lines{"try-restart a.service"});
  CHECK(undone({done("restart", "a.service", "active", "active"),
                done("reload", "b.service", "active", "active")}) ==
        Lines{"try-restart a.service", "try-reload-or-restart b.service"});
}

TEST_CASE("what followed a request is undone with it") {
  CHECK(undone({done("stop", "a.service", "active", "inactive")},
               {was("a.service", "active", "inactive"), was("b.service", "active", "inactive"),
                was("c.service", "inactive", "inactive")}) == Lines{"start a.service", "start b.service"});
  // Who depends on another one goes first.
  CHECK(undone({done("start", "b.service", "inactive", "active")},
               {was("a.service", "inactive", "active"), was("b.service", "inactive", "active")}) ==
        Lines{"stop b.service", "stop a.service"});
  CHECK(undone({done("start", "conf.service", "inactive", "active")},
               {was("a.service", "active", "inactive"), was("conf.service", "inactive", "active")}) ==
        Lines{"stop conf.service", "start a.service"});
}

TEST_CASE("an alias is no second unit") {
  CHECK(undone({done("start", "alias.service", "inactive", "active"),
                done("stop", "a.service", "active", "inactive")},
               {was("alias.service", "inactive", "inactive", "a.service"),
                was("a.service", "inactive", "inactive")})
            .empty());
  CHECK(undone({done("restart", "alias.service", "active", "active")},
               {was("alias.service", "active", "active", "a.service")}) == Lines{"try-restart a.service"});
}

TEST_CASE("what ran and has ended is named") {
  const UnitStep ran = done("start", "one.service", "inactive", "inactive");
  CHECK(undone({ran}) == Lines{"left start one.service !"});
  CHECK(undone({ran}, {was("one.service", "inactive", "inactive")}) == Lines{"left start one.service !"});
  UnitStep failed = done("start", "one.service", "inactive", "failed");
  failed.result = StepResult::kFailed;
  CHECK(undone({failed}) == Lines{"reset-failed one.service", "left start one.service !"});
  failed.after = "inactive";  // its unit is not there
  CHECK(undone({failed}).empty());
  UnitState pulled_in = was("one.service", "inactive", "inactive");
  pulled_in.ran = true;
  CHECK(undone({done("start", "a.service", "inactive", "active")},
               {pulled_in, was("a.service", "inactive", "active")}) ==
        Lines{"stop a.service", "left start one.service !"});
  CHECK(undone({done("try-restart", "a.service", "inactive", "inactive")}).empty());
}

TEST_CASE("a unit that has failed since is as if it had not") {
  CHECK(undone({done("stop", "a.service", "active", "failed")}) == Lines{"start a.service"});
  CHECK(undone({done("stop", "a.service", "active", "inactive")},
               {was("a.service", "active", "inactive"), was("b.service", "inactive", "failed"),
                was("c.service", "failed", "failed")}) == Lines{"reset-failed b.service", "start a.service"});
}

TEST_CASE("what was cut off is undone by where the unit is now, what was not asked is not") {
  UnitStep cut = done("start", "slow.service", "inactive", "activating");
  cut.result = StepResult::kInterrupted;
  UnitStep never = done("start", "never.service", "", "");
  never.result = StepResult::kInterrupted;
  CHECK(undone({cut, never}, {was("slow.service", "inactive", "activating"),
                              was("never.service", "inactive", "inactive")}) == Lines{"stop slow.service"});
  CHECK(undone({cut, never}) == Lines{"stop slow.service"});
  cut.after = "inactive";
  CHECK(undone({cut}) == Lines{"left start slow.service !"});
  cut.after = "";
  CHECK(undone({cut}) == Lines{"stop slow.service"});
}

TEST_CASE("where it was before is not guessed") {
  CHECK(undone({done("start", "a.service", "", "active")}, {was("a.service", "", "active")}) ==
        Lines{"left start a.service !"});
}

TEST_CASE("what nothing takes back is named") {
  UnitStep kill = done("kill", "a.service", "active", "active");
  kill.mode = "SIGHUP main";
  kill.irreversible = true;
  UnitStep failed = done("restart", "b.service", "active", "failed");
  failed.result = StepResult::kFailed;
  UnitStep left = done("start", "c.service", "inactive", "active");
  left.result = StepResult::kLeft;
  CHECK(undone({kill, failed, left}) == Lines{"start b.service", "left kill (SIGHUP main) a.service !"});
}

TEST_CASE("stops that come first are for before the files") {
  const auto leading = [](const Steps& steps) { return leading_stops(plan_unit_undo(steps, {})); };
  CHECK(leading({done("start", "a.service", "inactive", "active"), done("daemon-reload", "", "", ""),
                 done("stop", "b.service", "active", "inactive"),
                 done("start", "c.service", "inactive", "active")}) == 2);
  CHECK(leading({done("stop", "b.service", "active", "inactive")}) == 0);
}
