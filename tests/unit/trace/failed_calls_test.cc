#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "records.h"
#include "trace/failed_calls.h"
#include "trace/tool_changes.h"

using namespace rehearse::trace;

namespace {

/// init (10), the action (20), which executes, and whatever more is forked.
class FailingRun {
 public:
  FailingRun()
      : events([this](const TraceEvent& event) {
          failures.add(event, events);
          changes.add(event, events);
          return true;
        }) {
    fork(1, 10);
    fork(10, 20);
    exec(20);
  }
  void fork(std::uint32_t maker, std::uint32_t pid) {
    struct rh_fork body = {};
    body.parent_tgid = maker;
    body.child_tid = body.child_tgid = pid;
    body.inner_tid = pid - 9;
    events.add(make.begin(body, RH_FORK, maker).done());
  }
  void exec(std::uint32_t pid) {
    struct rh_exec body = {};
    body.tgid = body.old_tid = pid;
    events.add(make.begin(body, RH_EXEC, pid).done());
  }
  void open(std::uint32_t pid, const std::string& path, std::int64_t result, std::uint64_t flags = O_RDONLY) {
    make.call(RH_EXIT, pid, SYS_openat, {kHere, 1, flags}, result).attach(RH_TEXT, 1, path);
    if (result >= 0) make.path(path, RH_OPENED);
    events.add(make.done());
  }
  void call(std::uint32_t pid, std::uint32_t nr, const std::string& path, std::int64_t result) {
    events.add(make.call(RH_EXIT, pid, nr, {1}, result).attach(RH_TEXT, 0, path).done());
  }
  void end(std::uint32_t pid, int status) {
    struct rh_death body = {};
    body.tgid = pid;
    body.last = 1;
    body.status = status;
    events.add(make.begin(body, RH_DEATH, pid).done());
  }
  [[nodiscard]] std::vector<CallFailure> list() const { return failures.list(events.tree()); }

  RecordMaker make;
  FailedCalls failures;
  ToolChanges changes;
  EventStream events;
};

}  // namespace

TEST_CASE("what failed a process that ended badly is kept, of one that ended well it is not") {
  FailingRun run;
  run.fork(20, 21);
  run.open(20, "/gone", -ENOENT);
  run.call(20, SYS_access, "/closed", -EACCES);
  run.open(21, "/other", -ENOENT);
  run.open(20, "/there", 3);
  run.open(20, "/busy", -EBUSY);
  run.end(21, 0);
  run.end(20, 1 << 8);
  const auto found = run.list();
  REQUIRE(found.size() == 2);
  CHECK(found[0].path == "/gone");
  CHECK(found[0].error == ENOENT);
  CHECK_FALSE(found[0].asks);
  CHECK(found[1].spelled == "/closed");
  CHECK(found[1].asks);
}

TEST_CASE("the last failures of a process are kept, and lookups do not push refusals out") {
  FailingRun run;
  run.open(20, "/closed", -EACCES);
  for (int i = 0; i < 1000; ++i) run.open(20, "/no/" + std::to_string(i), -ENOENT);
  for (int i = 0; i < 1000; ++i) run.open(20, "/again", -ENOENT);
  run.end(20, 9);
  const auto found = run.list();
  CHECK(found.size() < 30);
  CHECK(found.front().path == "/closed");
  CHECK(found.back().path == "/again");
  CHECK(found[found.size() - 2].path == "/no/999");
}

TEST_CASE("what an administrator alone may do is no failure of the action's") {
  FailingRun run;
  run.call(20, SYS_chroot, "/x", -EPERM);
  run.call(20, SYS_mkdir, "/y", -EPERM);
  run.end(20, 1 << 8);
  REQUIRE(run.list().size() == 1);
  CHECK(run.list()[0].path == "/y");
}

TEST_CASE("a device that is full is no filesystem that is") {
  FailingRun run;
  const auto opened_and_written = [&run](std::uint32_t mode) {
    struct rh_file file = {};
    file.mode = mode;
    run.make.call(RH_EXIT, 20, SYS_openat, {kHere, 1, O_WRONLY}, 3).attach(RH_TEXT, 1, "/full");
    run.make.path("/full", RH_OPENED);
    run.make.attach(RH_FILE, RH_OPENED, {reinterpret_cast<const char*>(&file), sizeof file});
    run.events.add(run.make.done());
    run.events.add(run.make.call(RH_EXIT, 20, SYS_write, {3, 1, 1}, -ENOSPC).done());
    return run.list().size();
  };
  CHECK(opened_and_written(S_IFCHR | 0666) == 0);
  CHECK(opened_and_written(S_IFREG | 0644) == 1);
}

TEST_CASE("changes of what PID 1 started beside the action") {
  FailingRun run;
  run.fork(10, 30);  // a probe
  run.exec(30);
  run.fork(30, 31);
  run.call(20, SYS_mkdir, "/by/action", 0);
  run.call(30, SYS_mkdir, "/by/probe", 0);
  run.call(31, SYS_unlink, "/by/child", 0);
  run.call(31, SYS_unlink, "/failed", -EPERM);
  run.open(31, "/read", 3);
  REQUIRE(run.changes.paths().size() == 1);
  CHECK(run.changes.paths().begin()->second == std::set<std::string>{"/by/child", "/by/probe"});
  CHECK(ToolChanges::roots(run.events.tree()) == std::vector<std::uint32_t>{0, 1, 2, 2});
}
