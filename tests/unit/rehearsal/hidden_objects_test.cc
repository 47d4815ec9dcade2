#include "rehearsal/hidden_objects.h"

#include <catch2/catch.hpp>

using namespace rehearse;

TEST_CASE("IPC objects that were asked for") {
  constexpr std::string_view kTable =
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid\n"
      "-559038737          0   644           0          0     0     0     0     0     0     0\n"
      "       513          3   600           0          0     0     0     0     0     0     0\n";
  trace::IpcLooks looks;
  CHECK_FALSE(looks.any());
  CHECK(count_hidden_ipc(looks, kTable) == 0);
  looks.ids = {3, 4};
  CHECK(count_hidden_ipc(looks, kTable) == 1);
  looks.keys = {-559038737};
  CHECK(count_hidden_ipc(looks, kTable) == 2);
  CHECK(count_hidden_ipc({true, {}, {}}, kTable) == 2);
  CHECK(count_hidden_ipc({true, {}, {}}, kTable.substr(0, kTable.find('\n'))) == 0);
  CHECK(count_hidden_ipc({true, {}, {}}, "") == 0);
}

TEST_CASE("what is asked for by habit") {
  CHECK(is_asked_by_habit("/dev/pts/0", "/usr/bin/python3"));
  CHECK(is_asked_by_habit("/sys/fs/selinux/enforce", "/usr/bin/ls"));
  CHECK(is_asked_by_habit("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/usr/bin/java"));
  CHECK_FALSE(is_asked_by_habit("/sys/fs/cgroup/memory", "/usr/bin/dash"));
  CHECK(is_asked_by_habit("/sys/fs/cgroup/cpu", "/usr/bin/rustup"));
  CHECK_FALSE(is_asked_by_habit("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/usr/bin/cat"));
  CHECK_FALSE(is_asked_by_habit("/sys/fs/cgroup/unified", "/usr/bin/dash"));
  CHECK(is_asked_by_habit("/dev/vda", "/usr/bin/lsblk"));
  CHECK_FALSE(is_asked_by_habit("/dev/vda", "/usr/bin/dash"));
}
