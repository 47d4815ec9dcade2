#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "records.h"
#include "trace/write_attempts.h"

using namespace rehearse::trace;

namespace {

/// init (10) and the action (20).
class WritingRun {
 public:
  WritingRun()
      : events([this](const TraceEvent& event) {
          if (const auto kind = write_kind(event, events); !kind.empty())
            found.push_back(describe_write(event, events, kind));
          return true;
        }) {
    fork(1, 10);
    fork(10, 20);
    struct rh_exec image = {};
    image.tgid = image.old_tid = 20;
    events.add(make.begin(image, RH_EXEC, 20).done());
  }
  void fork(std::uint32_t maker, std::uint32_t pid) {
    struct rh_fork body = {};
    body.parent_tgid = maker;
    body.child_tid = body.child_tgid = pid;
    body.inner_tid = pid - 9;
    events.add(make.begin(body, RH_FORK, maker).done());
  }
  std::size_t after_call(std::uint32_t nr, std::initializer_list<std::uint64_t> args, std::int64_t result,
                         const std::string& path = "", std::uint8_t arg = 0) {
    auto& record = make.call(RH_EXIT, 20, nr, std::vector<std::uint64_t>(args), result);
    if (!path.empty()) record.attach(RH_TEXT, arg, path);
    events.add(record.done());
    return found.size();
  }

  RecordMaker make;
  std::vector<WriteAttempt> found;
  EventStream events;
};

}  // namespace

TEST_CASE("what the kernel refuses on a read-only mount is an attempt to write, also a question") {
  WritingRun run;
  REQUIRE(run.after_call(SYS_openat, {kHere, 1, O_WRONLY | O_CREAT}, -EROFS, "/srv/x", 1) == 1);
  CHECK(run.found[0].what == "file");
  CHECK(run.found[0].path == "/srv/x");
  CHECK(run.found[0].error == EROFS);
  CHECK(run.found[0].detail.find("O_WRONLY|O_CREAT") != std::string::npos);
  CHECK(run.after_call(SYS_unlink, {1}, -EROFS, "/etc/x") == 2);
  CHECK(run.after_call(SYS_access, {1, 2}, -EROFS, "/etc/x") == 3);
  CHECK(run.after_call(SYS_ftruncate, {3, 0}, -EROFS) == 4);
}

TEST_CASE("what only looks, or fails for another reason, is none") {
  WritingRun run;
  CHECK(run.after_call(SYS_openat, {kHere, 1, O_RDONLY}, -ENOENT, "/srv/x", 1) == 0);
  CHECK(run.after_call(SYS_openat, {kHere, 1, O_WRONLY}, -EACCES, "/etc/x", 1) == 0);
  CHECK(run.after_call(SYS_openat, {kHere, 1, O_RDONLY}, -EACCES, "/proc/kcore", 1) == 0);
  CHECK(run.after_call(SYS_getpid, {}, 11) == 0);
  CHECK(run.after_call(SYS_kill, {11, 0}, 0) == 0);
}

TEST_CASE("what changes the host without a file system counts, whatever became of it") {
  WritingRun run;
  CHECK(run.after_call(SYS_sethostname, {1, 2}, -EPERM) == 1);
  CHECK(run.after_call(SYS_kill, {1, 9}, -EPERM) == 2);
  CHECK(run.found[1].what == "kill");
  CHECK(run.after_call(SYS_mount, {1, 2, 3, 0, 0}, 0) == 3);
  CHECK(run.found[2].what == "mount");
  CHECK(run.found[2].error == 0);
  CHECK(run.after_call(SYS_openat, {kHere, 1, O_WRONLY}, -EACCES, "/proc/sys/kernel/sysrq", 1) == 4);
  CHECK(run.found[3].what == "sysctl");
}

TEST_CASE("so do names in /dev, but for the memory that programs share there") {
  WritingRun run;
  CHECK(run.after_call(SYS_unlink, {1}, 0, "/dev/null") == 1);
  CHECK(run.after_call(SYS_symlink, {1, 2}, 0, "/dev/log", 1) == 2);
  CHECK(run.after_call(SYS_mkdir, {1}, 0, "/dev/shm/x") == 3);
  CHECK(run.found[2].what == "file");
  CHECK(run.after_call(SYS_unlink, {1}, 0, "/dev/shm/x") == 3);
  CHECK(run.after_call(SYS_shmctl, {5, 0}, -EINVAL) == 4);
  CHECK(run.found[3].what == "ipc");
}
