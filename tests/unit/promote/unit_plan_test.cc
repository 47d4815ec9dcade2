#include "promote/unit_plan.h"

#include <string>
#include <vector>

#include "catch2/catch.hpp"
#include "promote/unit_part.h"

using namespace rehearse;
using namespace rehearse::promote;
using ledger::StepResult;
using ledger::UnitStep;
using report::UnitRecord;

namespace {

UnitRecord asked(std::string request, std::string unit, std::string mode = "replace",
                 std::string answered = "mocked") {
  UnitRecord record;
  record.request = std::move(request);
  record.unit = std::move(unit);
  record.mode = std::move(mode);
  record.answered = std::move(answered);
  return record;
}

std::vector<std::string> lines(const std::vector<UnitStep>& steps) {
  std::vector<std::string> result;
  for (const UnitStep& step : steps)
    result.push_back((step.result == StepResult::kLeft ? "left " : "") + line_of(step) +
                     (step.irreversible ? " !" : ""));
  return result;
}

using Lines = std::vector<std::string>;

Lines planned(const std::vector<UnitRecord>& records) {
  return lines(plan_unit_steps(records));
}

}  // namespace

TEST_CASE("unit steps keep the order of the requests") {
  CHECK(planned({asked("stop", "a.service"), asked("query", "a.service"), asked("start", "b.service"),
                 asked("start", "c.service", "replace", "refused"), asked("start", "a.service")}) ==
        Lines{"stop a.service", "start b.service", "start a.service"});
  CHECK(planned({}).empty());
}

TEST_CASE("edits of unit files are one reload") {
  CHECK(planned({asked("enable", "a.service", "", "carried-out"),
                 asked("mask", "b.service", "", "carried-out"), asked("daemon-reload", "", ""),
                 asked("start", "a.service"), asked("daemon-reload", "", "")}) ==
        Lines{"daemon-reload", "start a.service"});
}

TEST_CASE("a reload comes before the first job that needs it, and after what was stopped before") {
  CHECK(planned({asked("disable", "a.service", "", "carried-out"), asked("stop", "a.service"),
                 asked("daemon-reload", "", "")}) == Lines{"stop a.service", "daemon-reload"});
  CHECK(planned({asked("start", "old.service"), asked("mask", "a.service", "", "carried-out"),
                 asked("stop", "a.service"), asked("restart", "b.service"), asked("daemon-reload", "", ""),
                 asked("reload", "c.service"), asked("reboot", "", "")}) ==
        Lines{"start old.service", "stop a.service", "daemon-reload", "restart b.service", "reload c.service",
              "reboot !"});
  CHECK(planned({asked("daemon-reload", "", "")}) == Lines{"daemon-reload"});
}

TEST_CASE("the units that a request concerns are those that follow it too") {
  UnitRecord stop = asked("stop", "a.service");
  stop.also = {"stop b.service", "stop c.service"};
  UnitRecord start = asked("start", "d.service");
  start.also = {"start e.service", "start f.service", "stop a.service", "start not a unit"};
  CHECK(concerned_units(plan_unit_steps(std::vector<UnitRecord>{stop, start})) ==
        Lines{"a.service", "b.service", "c.service", "f.service", "e.service", "d.service"});
  UnitRecord isolate = asked("start", "rescue.target", "isolate");
  isolate.also = {"stop a.service"};
  CHECK(concerned_units(
            plan_unit_steps(std::vector<UnitRecord>{isolate, asked("kill", "a.service", "SIGHUP ")}))
            .empty());
}

TEST_CASE("each job has its verb and its mode") {
  CHECK(planned({asked("reload-or-try-restart", "a.service", "fail"), asked("reload-or-restart", "a.service"),
                 asked("try-restart", "a.service"), asked("start", "rescue.target", "isolate")}) ==
        Lines{"try-reload-or-restart (fail) a.service", "reload-or-restart a.service",
              "try-restart a.service", "start (isolate) rescue.target !"});
}

TEST_CASE("what ends the system comes last") {
  CHECK(planned({asked("reboot", "", ""), asked("start", "poweroff.target"), asked("stop", "a.service")}) ==
        Lines{"stop a.service", "reboot !", "start poweroff.target !"});
  for (const char* unit : {"runlevel0.target", "runlevel6.target", "ctrl-alt-del.target", "exit.target",
                           "systemd-reboot.service", "systemd-poweroff.service", "systemd-halt.service"}) {
    CAPTURE(unit);
    CHECK(planned({asked("start", unit), asked("stop", "a.service")}) ==
          Lines{"stop a.service", std::string("start ") + unit + " !"});
  }
}

TEST_CASE("what nothing takes back is said beforehand") {
  CHECK(planned({asked("reset-failed", "", ""), asked("reset-failed", "a.service", ""),
                 asked("FreezeUnit", "a.service", ""), asked("ThawUnit", "a.service", ""),
                 asked("stop", "a.service")}) == Lines{"reset-failed !", "reset-failed a.service !",
                                                       "freeze a.service !", "thaw a.service !",
                                                       "stop a.service"});
}

TEST_CASE("what cannot be asked again is left") {
  CHECK(planned({asked("start-transient", "run-1.service", "fail"),
                 asked("set-property", "a.service", "CPUQuota"), asked("SetEnvironment", "", ""),
                 asked("verify-active", "a.service"), asked("start", "a.service", "--root=/"),
                 asked("start", "*.service"), asked("start", "-H.service;x"),
                 asked("kill", "a.service", "SIGHUP --x"), asked("kill", "a.service", "-9 main")}) ==
        Lines{"left start-transient (fail) run-1.service", "left set-property (CPUQuota) a.service",
              "left SetEnvironment", "left verify-active a.service", "left start (--root=/) a.service",
              "left start *.service", "left start -H.service;x", "left kill (SIGHUP --x) a.service",
              "left kill (-9 main) a.service"});
  CHECK(planned({asked("kill", "a.service", "SIGHUP main"), asked("kill", "a.service", "SIGTERM ")}) ==
        Lines{"kill (SIGHUP main) a.service !", "kill (SIGTERM ) a.service !"});
}

TEST_CASE("a part takes along the requests of the units whose files it brings, all of them") {
  std::vector<UnitStep> steps = plan_unit_steps(std::vector<UnitRecord>{
      asked("daemon-reload", ""), asked("start", "a.service"), asked("start", "b@x.service"),
      asked("restart", "c.service"), asked("start", "ab.service"), asked("reboot", "")});
  std::vector<effects::Change> changes(6);
  changes[0].path = "/etc/systemd/system/a.service";
  changes[1].path = "/etc/systemd/system/multi-user.target.wants/a.service";
  changes[2].path = "/usr/lib/systemd/system/b@.service";
  changes[3].path = "/etc/systemd/system.control/c.service.d/50-x.conf";
  changes[4].path = "/etc/c.service";
  changes[5].path = "/etc/systemd/systemd/ab.service";
  const auto part = [&](std::vector<bool> taken) {
    auto here = steps;
    leave_other_parts(here, changes, taken);
    return lines(here);
  };
  CHECK(part({true, true, true, true, false, true}) == Lines{"daemon-reload", "start a.service",
                                                             "start b@x.service", "restart c.service",
                                                             "left start ab.service", "left reboot !"});
  CHECK(part({true, false, false, false, true, true}) ==
        Lines{"daemon-reload", "left start a.service", "left start b@x.service", "left restart c.service",
              "left start ab.service", "left reboot !"});
  CHECK(part({false, false, false, false, true, true}).front() == "left daemon-reload");
}

TEST_CASE("what is stopped before its file goes is stopped before the files go") {
  std::vector<effects::Change> changes(4);
  changes[0].path = "/usr/lib/systemd/system/a.service";
  changes[0].kind = effects::ChangeKind::kDeleted;
  changes[1].path = "/etc/systemd/system/multi-user.target.wants/b.service";
  changes[1].kind = effects::ChangeKind::kDeleted;
  changes[2].path = "/etc/init.d/script";
  changes[2].kind = effects::ChangeKind::kDeleted;
  changes[3].path = "/etc/systemd/system/c@.service.away";
  changes[3].from = "/etc/systemd/system/c@.service";
  changes[3].kind = effects::ChangeKind::kRenamed;
  const auto put = [&](const std::vector<UnitRecord>& records, std::vector<bool> taken) {
    auto steps = plan_unit_steps(records);
    const std::size_t early = put_early_stops(steps, changes, taken);
    Lines put = lines(steps);
    put.insert(put.begin() + static_cast<std::ptrdiff_t>(early), "files");
    return put;
  };
  const std::vector<bool> all(4, true);
  CHECK(put({asked("daemon-reload", "", ""), asked("start", "new.service"), asked("stop", "b.service"),
             asked("stop", "a.service"), asked("stop", "script.service"), asked("stop", "c@1.service")},
            all) == Lines{"stop a.service", "stop script.service", "stop c@1.service", "files",
                          "daemon-reload", "start new.service", "stop b.service"});
  CHECK(put({asked("stop", "a.service")}, {false, true, true, true}) == Lines{"files", "stop a.service"});
  CHECK(put({asked("start", "a.service"), asked("stop", "a.service")}, all) ==
        Lines{"files", "start a.service", "stop a.service"});
}
