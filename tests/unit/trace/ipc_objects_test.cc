#include <errno.h>
#include <sys/ipc.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "records.h"
#include "trace/ipc_objects.h"

using namespace rehearse::trace;

namespace {

/// init (10) and the action (20).
class IpcRun {
 public:
  IpcRun()
      : events([this](const TraceEvent& event) {
          objects.add(event);
          return true;
        }) {
    for (const std::uint32_t pid : {10U, 20U}) {
      struct rh_fork body = {};
      body.parent_tgid = pid == 10 ? 1 : 10;
      body.child_tid = body.child_tgid = pid;
      body.inner_tid = pid - 9;
      events.add(make.begin(body, RH_FORK, body.parent_tgid).done());
    }
    struct rh_exec image = {};
    image.tgid = image.old_tid = 20;
    events.add(make.begin(image, RH_EXEC, 20).done());
  }
  std::size_t after(std::uint32_t nr, std::vector<std::uint64_t> args, std::int64_t result) {
    events.add(make.call(RH_EXIT, 20, nr, std::move(args), result).done());
    return objects.left().size();
  }

  RecordMaker make;
  IpcObjects objects;
  EventStream events;
};

}  // namespace

TEST_CASE("what is made and not removed is left") {
  constexpr std::uint64_t kOld = 0x100;
  IpcRun run;
  CHECK(run.after(SYS_shmget, {7, 4096, IPC_CREAT}, 0) == 1);
  CHECK(run.after(SYS_shmget, {7, 4096, 0}, 0) == 1);
  CHECK(run.after(SYS_semget, {IPC_PRIVATE, 1, 0}, 0) == 2);
  CHECK(run.after(SYS_msgget, {8, 0}, -ENOENT) == 2);
  CHECK(run.after(SYS_shmctl, {0, IPC_STAT, 0}, 0) == 2);
  CHECK(run.after(SYS_shmctl, {0, IPC_RMID, 0}, -EPERM) == 2);
  CHECK(run.after(SYS_semctl, {0, 0, IPC_RMID | kOld}, 0) == 1);
  CHECK(run.objects.left().begin()->second == 7);
  CHECK(run.after(SYS_shmctl, {0, IPC_RMID, 0}, 0) == 0);
  CHECK_FALSE(run.objects.cut());
}
