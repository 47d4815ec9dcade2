#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "records.h"
#include "trace/attempt_capability.h"
#include "trace/attempt_kind.h"
#include "trace/event_paths.h"
#include "trace/event_stream.h"
#include "trace/event_text.h"

using namespace rehearse::trace;

namespace {

/// A run of two processes: init (10) and the action (20), which has executed a program and may override file
/// permissions.
class StreamRun {
 public:
  StreamRun()
      : events([this](const TraceEvent& event) {
          ++count;
          fd_name = event.fd == nullptr ? "?" : event.fd->name;
          connected = event.fd != nullptr && event.fd->server && event.fd->server->port == 80;
          place = events.place(event, event.record->head().nr == SYS_open ? 0 : 1);
          kind = attempt_kind(event, events);
          capability = kind.empty() ? std::string_view() : capability_of(event, events, kind);
          outcome = outcome_of(event);
          line = event_line(event, 0);
          unread = event.has_unread();
          tampered = event.tampered();
          working = events.working_directory(event);
          named = named_paths(event, events);
          return true;
        }) {
    fork(1, 10, 10);
    fork(10, 20, 20);
    exec(20, 20);
  }

  void fork(std::uint32_t maker, std::uint32_t tid, std::uint32_t tgid) {
    struct rh_fork body = {};
    body.parent_tgid = maker;
    body.child_tid = tid;
    body.child_tgid = tgid;
    body.inner_tid = tid - 9;
    events.add(make.begin(body, RH_FORK, maker).done());
  }
  void clone(std::uint32_t maker, std::uint32_t tid, std::uint32_t tgid, std::uint64_t flags) {
    events.add(make.call(RH_ENTER, maker, SYS_clone, {flags}).done());
    fork(maker, tid, tgid);
    call(maker, SYS_clone, {flags}, tid);
  }
  void exec(std::uint32_t old_tid, std::uint32_t tgid, std::string_view asked = {}) {
    struct rh_exec body = {};
    body.tgid = tgid;
    body.old_tid = old_tid;
    struct rh_creds creds = {};
    creds.effective = ~std::uint64_t{0};
    make.begin(body, RH_EXEC, tgid)
        .attach(RH_CREDS, 0, {reinterpret_cast<const char*>(&creds), sizeof creds});
    if (!asked.empty()) make.attach(RH_KTEXT, 0, asked).attach(RH_KTEXT, 1, asked);
    events.add(make.done());
  }
  void death(std::uint32_t tid, std::uint32_t tgid) {
    struct rh_death body = {};
    body.tgid = tgid;
    body.last = 1;
    events.add(make.begin(body, RH_DEATH, tid).done());
  }
  void call(std::uint32_t tid, std::uint32_t nr, std::vector<std::uint64_t> args, std::int64_t result,
            std::vector<std::pair<std::uint8_t, std::string>> texts = {}, std::string_view path = {}) {
    make.call(RH_EXIT, tid, nr, std::move(args), result);
    for (const auto& [arg, text] : texts) make.attach(RH_TEXT, arg, text);
    if (!path.empty()) make.path(path);
    events.add(make.done());
  }
  /// A call after which the thread's names begin elsewhere, as the kernel then says.
  void moves(std::uint32_t tid, std::uint32_t nr, std::string_view working, std::string_view root = "/") {
    events.add(make.call(RH_EXIT, tid, nr, {0x1000}, 0).path(working, RH_CWD).path(root, RH_ROOT).done());
  }
  void open(std::uint32_t tid, std::int32_t fd, std::string_view path, std::uint64_t flags = 0) {
    call(tid, SYS_openat, {kHere, 0x1000, flags}, fd, {{1, std::string(path)}}, path);
  }
  /// What descriptor `fd` is said to be when it is read from.
  std::string reads(std::uint32_t tid, std::int32_t fd) {
    call(tid, SYS_read, {static_cast<std::uint64_t>(fd), 0, 1}, 1);
    return fd_name;
  }
  /// Where a refused open for writing of `path` led.
  std::string refused(std::uint32_t tid, std::string_view path, std::uint64_t at = kHere) {
    call(tid, SYS_openat, {at, 0x1000, O_WRONLY}, -EACCES, {{1, std::string(path)}});
    return place;
  }

  RecordMaker make;
  std::string fd_name, place, kind, capability, working;
  std::string line;
  std::vector<std::string> named;
  std::uint64_t count = 0;
  Outcome outcome = Outcome::kContained;
  bool connected = false, unread = false, tampered = false;
  EventStream events;
};

}  // namespace

TEST_CASE("descriptors are shared as clone was told") {
  StreamRun run;
  run.open(20, 3, "/a");
  run.clone(20, 30, 30, SIGCHLD);
  run.clone(20, 40, 40, CLONE_FILES | CLONE_VM | SIGCHLD);  // no CLONE_THREAD: a process of its own
  CHECK(run.reads(30, 3) == "/a");
  CHECK(run.reads(40, 3) == "/a");
  run.open(40, 4, "/b");
  CHECK(run.reads(20, 4) == "/b");
  CHECK(run.reads(30, 4) == "?");
  run.call(20, SYS_close, {3}, 0);
  CHECK(run.fd_name == "/a");
  CHECK(run.reads(40, 3) == "?");
  CHECK(run.reads(30, 3) == "/a");

  SECTION("until one asks for its own") {
    run.call(40, SYS_unshare, {CLONE_FILES}, 0);
    run.open(40, 5, "/c");
    CHECK(run.reads(20, 5) == "?");
    CHECK(run.reads(20, 4) == "/b");
  }
  SECTION("or executes a program") {
    run.open(20, 6, "/kept");
    run.open(20, 7, "/closed", O_CLOEXEC);
    run.exec(40, 40);
    CHECK(run.reads(40, 6) == "/kept");
    CHECK(run.reads(40, 7) == "?");
    CHECK(run.reads(20, 7) == "/closed");
  }
  SECTION("or closes a range of its own") {
    run.call(40, SYS_close_range, {0, 100, CLOSE_RANGE_UNSHARE}, 0);
    CHECK(run.reads(40, 4) == "?");
    CHECK(run.reads(20, 4) == "/b");
  }
}

TEST_CASE("a thread that executes a program takes its descriptors to the process's number") {
  StreamRun run;
  run.clone(20, 21, 20, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_FS);
  run.open(21, 3, "/a");
  run.moves(21, SYS_chdir, "/dir");
  run.death(20, 20);
  run.exec(21, 20);
  CHECK(run.reads(20, 3) == "/a");
  CHECK(run.working == "/dir");
}

TEST_CASE("a program that is executed is shown as it was called for") {
  StreamRun run;
  run.events.add(run.make.call(RH_ENTER, 20, SYS_execveat, {3, 0x1000, 0x2000, 0x3000, AT_EMPTY_PATH})
                     .attach(RH_TEXT, 1, "")
                     .done());
  run.exec(20, 20);
  run.call(20, SYS_execve, {}, 0);
  CHECK(run.line.find("execveat(3, \"\", 0x2000, 0x3000, AT_EMPTY_PATH) = 0") != std::string::npos);
  // Of a 32-bit program the kernel says execve of i386.
  run.events.add(run.make.call(RH_ENTER, 20, SYS_execve, {0x1000}).attach(RH_TEXT, 0, "/bin/small").done());
  run.exec(20, 20);
  const std::uint64_t before = run.count;
  struct rh_call returned = {};
  returned.head.abi = 1;
  returned.head.args = 6;
  run.events.add(run.make.begin(returned, RH_EXIT, 20, 11).done());
  CHECK(run.count == before + 2);
  CHECK(run.line.find("execve(\"/bin/small\", ") != std::string::npos);
  CHECK(run.line.find("i386") == std::string::npos);
}

TEST_CASE("the name of an executed program is the kernel's where the caller's memory could not be read") {
  StreamRun run;
  const auto executes = [&](std::uint32_t nr, std::vector<std::uint64_t> args, std::uint8_t path,
                            std::optional<std::string_view> text, std::string_view kernels) {
    run.make.call(RH_ENTER, 20, nr, std::move(args));
    if (text)
      run.make.attach(RH_TEXT, path, *text);
    else
      run.make.attach(RH_TEXT, path, "", RH_FAULT);
    run.events.add(run.make.done());
    run.exec(20, 20, kernels);
    run.call(20, SYS_execve, {}, 0);
    return run.line.substr(run.line.find("exec"));
  };
  CHECK(executes(SYS_execve, {0x1000}, 0, std::nullopt, "/tmp/link").starts_with("execve(\"/tmp/link\", "));
  CHECK_FALSE(run.unread);
  const std::uint64_t here = static_cast<std::uint32_t>(AT_FDCWD);
  CHECK(executes(SYS_execveat, {3, 0x1000, 0, 0, AT_EMPTY_PATH}, 1, std::nullopt, "/dev/fd/3")
            .starts_with("execveat(3, \"\", "));
  CHECK(executes(SYS_execveat, {3, 0x1000}, 1, std::nullopt, "/dev/fd/3/bin/true")
            .starts_with("execveat(3, \"bin/true\", "));
  CHECK(executes(SYS_execveat, {here, 0x1000}, 1, std::nullopt, "/dev/fd/3")
            .starts_with("execveat(AT_FDCWD, \"/dev/fd/3\", "));
  executes(SYS_execveat, {3, 0x1000}, 1, "/dev/fd/5", "/dev/fd/5");
  CHECK_FALSE(run.tampered);
  // And where it could be, another name than the kernel's was put there for whoever looks.
  executes(SYS_execve, {0x1000}, 0, "/bin/true", "/bin/evil");
  CHECK(run.tampered);
}

TEST_CASE("only a call that returns a descriptor is shown to return one") {
  StreamRun run;
  run.open(20, 4, "/a");
  CHECK(run.line.ends_with(" = 4</a>"));
  run.call(20, SYS_pwrite64, {4, 0x1000, 4, 0}, 4);
  CHECK(run.line.ends_with(" = 4  <4: /a>"));
  run.call(20, SYS_lseek, {4, 4, 0}, 4);
  CHECK(run.line.ends_with(" = 4  <4: /a>"));
  run.open(20, 0, "/b");
  run.call(20, SYS_fchmod, {0, 0600}, 0);
  CHECK(run.line.ends_with(" = 0  <0: /b>"));
  run.call(20, SYS_dup, {4}, 5);
  CHECK(run.line.ends_with(" = 5</a>"));
  run.call(20, SYS_fcntl, {4, F_DUPFD, 10}, 10);
  CHECK(run.line.ends_with(" = 10</a>"));
}

TEST_CASE("a fork is one call, whose return in the child is none") {
  for (const std::uint32_t nr : {SYS_fork, SYS_vfork, SYS_clone, SYS_clone3}) {
    StreamRun run;
    run.fork(20, 30, 30);
    const std::uint64_t events = run.count;
    run.call(20, nr, {0, 0}, 21);
    run.call(30, nr, {0, 0}, 0);
    CHECK(run.count == events + 1);
    CHECK(run.events.tree().of_thread(20)->syscalls == 1);
    CHECK(run.events.tree().of_thread(30)->syscalls == 0);
  }
}

TEST_CASE("a number that is used again stands for nothing of before") {
  StreamRun run;
  run.clone(20, 30, 30, SIGCHLD);
  run.open(30, 3, "/old");
  run.death(30, 30);
  run.clone(20, 30, 30, SIGCHLD);
  CHECK(run.reads(30, 3) == "?");
  CHECK(run.events.tree().processes().size() == 4);
  CHECK(run.events.tree().of_thread(30)->id == 3);
}

TEST_CASE("descriptors from elsewhere are unknown, not what had their number") {
  StreamRun run;
  run.open(20, 3, "/a");
  run.call(20, SYS_close, {3}, 0);
  run.call(20, SYS_recvmsg, {5, 0x1000, 0}, 1);  // may have brought a new 3
  CHECK(run.reads(20, 3) == "?");
  run.open(20, 4, "/b");
  run.call(20, SYS_pidfd_getfd, {9, 3, 0}, 4);
  CHECK(run.reads(20, 4) == "?");
  run.open(20, 6, "/c");
  run.call(20, SYS_dup2, {77, 6}, 6);  // of one that is not known
  CHECK(run.reads(20, 6) == "?");
}

TEST_CASE("a call that moves named where it went from where it was") {
  StreamRun run;
  run.moves(20, SYS_chdir, "/dir");
  run.events.add(run.make.call(RH_EXIT, 20, SYS_chdir, {0x1000}, 0)
                     .attach(RH_TEXT, 0, "sub")
                     .path("/dir/sub", RH_CWD)
                     .done());
  CHECK(run.named == std::vector<std::string>{"/dir/sub"});
  run.call(20, SYS_rename, {0x1000, 0x2000}, 0, {{0, "../a"}, {1, "b"}});
  CHECK(run.named == std::vector<std::string>{"/dir/a", "/dir/sub/b"});
}

TEST_CASE("copies of a descriptor are one socket") {
  StreamRun run;
  run.call(20, SYS_socket, {2, 1, 0}, 3);
  run.call(20, SYS_dup, {3}, 4);
  run.events.add(
      run.make.call(RH_ENTER, 20, SYS_connect, {4, 0x1000, 16})
          .attach(RH_BLOB, 1, std::string_view("\x02\x00\x00\x50\x7f\x00\x00\x01\0\0\0\0\0\0\0\0", 16))
          .done());
  run.call(20, SYS_connect, {4, 0x1000, 16}, -EINPROGRESS);
  run.call(20, SYS_close, {4}, 0);
  CHECK(run.reads(20, 3) == "socket");
  CHECK(run.connected);
}

TEST_CASE("the ends of a pipe are one, and close as they were asked for") {
  StreamRun run;
  const auto pair = [&](std::uint32_t nr, std::uint64_t flags, std::uint8_t at, std::string_view ends) {
    run.events.add(run.make.call(RH_EXIT, 20, nr, {AF_UNIX, flags, 0}, 0).attach(RH_BLOB, at, ends).done());
  };
  pair(SYS_pipe2, 0, 0, std::string_view("\3\0\0\0\4\0\0\0", 8));
  pair(SYS_pipe2, O_CLOEXEC, 0, std::string_view("\5\0\0\0\6\0\0\0", 8));
  pair(SYS_socketpair, SOCK_STREAM, 3, std::string_view("\7\0\0\0\x8\0\0\0", 8));
  pair(SYS_pipe, O_CLOEXEC, 0, std::string_view("\x9\0\0", 3));  // half of it could be read
  CHECK(run.reads(20, 3) == "pipe");
  CHECK(run.reads(20, 9) == "?");
  CHECK(run.events.descriptor(20, 3) == run.events.descriptor(20, 4));
  CHECK(run.events.descriptor(20, 3) != run.events.descriptor(20, 5));
  CHECK(run.events.descriptor(20, 7) == run.events.descriptor(20, 8));
  run.call(20, SYS_dup2, {4, 1}, 1);
  CHECK(run.events.descriptor(20, 1) == run.events.descriptor(20, 3));
  run.exec(20, 20);
  CHECK(run.reads(20, 3) == "pipe");
  CHECK(run.reads(20, 5) == "?");
}

TEST_CASE("what was polled is shown as it was asked for, and what came of it") {
  StreamRun run;
  const auto poll = [&](bool again) {
    const std::string_view asked("\3\0\0\0\1\0\0\0", 8);
    run.events.add(run.make.call(RH_ENTER, 20, SYS_poll, {0x1000, 1, 5}).attach(RH_BLOB, 0, asked).done());
    run.make.call(RH_EXIT, 20, SYS_poll, {0x1000, 1, 5}, 1);
    if (again) run.make.attach(RH_BLOB, 0, std::string_view("\4\0\0\0\4\0\x10\0", 8));
    run.events.add(run.make.done());
    return run.line;
  };
  CHECK(poll(true).ends_with("poll([{fd=3, events=POLLIN}], 1, 5) = 1 ([{fd=4, revents=POLLHUP}])"));
  CHECK(poll(false).ends_with("poll([{fd=3, events=POLLIN}], 1, 5) = 1"));
}

TEST_CASE("names lead where the kernel would take them") {
  StreamRun run;
  run.moves(20, SYS_chdir, "/proc/sys");
  CHECK(run.refused(20, "kernel/./x") == "/proc/sys/kernel/x");
  CHECK(run.kind == "sysctl");
  CHECK(run.refused(20, "../../etc//x") == "/etc/x");
  CHECK(run.kind == "file");
  CHECK(run.refused(20, "../../../../x") == "/x");
  run.moves(20, SYS_chdir, "/proc/sys/vm");
  CHECK(run.working == "/proc/sys/vm");
  CHECK(run.refused(20, "/proc/self/cwd/x") == "/proc/sys/vm/x");
  CHECK(run.refused(20, "/proc/thread-self/root/a") == "/a");
  run.open(20, 7, "/proc/sys/fs", O_DIRECTORY);
  CHECK(run.refused(20, "y", 7) == "/proc/sys/fs/y");
  CHECK(run.refused(20, "/proc/self/fd/7/y") == "/proc/sys/fs/y");
  CHECK(run.refused(20, "/dev/fd/7/../kernel") == "/dev/fd/kernel");
  CHECK(run.refused(20, "y", 99) == "y");
  run.moves(20, SYS_fchdir, "/proc/sys/fs");
  CHECK(run.working == "/proc/sys/fs");

  SECTION("through mounts") {
    run.call(20, SYS_mount, {1, 2, 3, 0}, 0, {{0, "none"}, {1, "/tmp/p"}, {2, "proc"}});
    CHECK(run.refused(20, "/tmp/p/sys/kernel/x") == "/proc/sys/kernel/x");
    run.call(20, SYS_mount, {1, 2, 3, MS_BIND}, 0, {{0, "/tmp/p/sys/vm"}, {1, "/mnt"}});
    CHECK(run.refused(20, "/mnt/x") == "/proc/sys/vm/x");
    run.call(20, SYS_mount, {1, 2, 3, 0}, -EPERM, {{0, "none"}, {1, "/opt"}, {2, "proc"}});
    CHECK(run.refused(20, "/opt/x") == "/opt/x");
  }
  SECTION("in another root") {
    run.moves(20, SYS_chroot, "/proc/sys/fs", "/proc/sys");
    CHECK(run.refused(20, "/vm/x") == "/proc/sys/vm/x");
    CHECK(run.refused(20, "/../../vm/x") == "/proc/sys/vm/x");
    run.clone(20, 30, 30, CLONE_FS | SIGCHLD);
    run.moves(30, SYS_chdir, "/proc/sys/net", "/proc/sys");
    CHECK(run.refused(20, "x") == "/proc/sys/net/x");
    run.clone(20, 40, 40, SIGCHLD);
    run.moves(40, SYS_chdir, "/proc/sys", "/proc/sys");
    CHECK(run.refused(20, "x") == "/proc/sys/net/x");
  }
}

TEST_CASE("who only looks at other processes and sockets is told from who reads their memory") {
  StreamRun run;
  const auto refused = [&](std::string_view path, std::uint64_t flags) {
    run.call(20, SYS_openat, {kHere, 0x1000, flags}, -EACCES, {{1, std::string(path)}});
    return run.kind;
  };
  CHECK(refused("/proc/1/environ", O_RDONLY) == "look");
  CHECK(refused("/proc/1/fd", O_RDONLY | O_DIRECTORY) == "look");
  CHECK(refused("/proc/1/mem", O_RDONLY) == "ptrace");
  CHECK(refused("/proc/1/root/etc/shadow", O_RDONLY) == "ptrace");
  CHECK(refused("/proc/1/environ", O_RDWR) == "ptrace");
  CHECK(refused("/proc/7/environ", O_RDONLY) == "ptrace");
  CHECK(refused("/proc/1/fd/../mem", O_RDONLY) == "ptrace");
  CHECK(refused("/proc/sys/kernel/cad_pid", O_RDONLY) == "look");
  CHECK(refused("/proc/sys/kernel/cad_pid", O_WRONLY) == "sysctl");
  CHECK(refused("/proc/kcore", O_RDONLY) == "kernel");
  CHECK(refused("/proc/sysrq-trigger", O_RDONLY) == "kernel");
  CHECK(refused("/proc/sysrq-trigger", O_WRONLY) == "power");
  CHECK(refused("/sys/power/state", O_WRONLY) == "power");
  CHECK(refused("/sys/power/pm_freeze_timeout", O_WRONLY) == "kernel");
  for (const char* path : {"/sys/devices/system/cpu/cpu1/online", "/sys/block/sda/device/delete",
                           "/sys/block/sda/device/state", "/sys/devices/system/memory/memory32/state",
                           "/sys/bus/pci/devices/0000:00:03.0/remove", "/sys/bus/pci/drivers/nvme/unbind"})
    CHECK(refused(path, O_WRONLY | O_CREAT | O_TRUNC) == "hardware");
  CHECK(refused("/sys/class/rfkill/rfkill0/state", O_WRONLY) == "kernel");
  const auto absent = [&](std::string_view path, std::uint64_t flags) {
    run.call(20, SYS_openat, {kHere, 0x1000, flags}, -ENOENT, {{1, std::string(path)}});
    return run.kind;
  };
  CHECK(absent("/dev/kmsg", O_RDONLY) == "look");
  CHECK(absent("/dev/kmsg", O_WRONLY) == "device");
  CHECK(absent("/dev/hwrng", O_RDONLY) == "device");
  CHECK(absent("/dev/ttyS0", O_RDWR) == "device");
  CHECK(absent("/dev/mapper", O_RDONLY | O_DIRECTORY) == "look");
  CHECK(absent("/dev/vg0/root", O_RDWR) == "raw device");
  CHECK(absent("/dev/mem", O_RDONLY) == "physical memory");
  CHECK(absent("/dev/mem", O_RDWR) == "raw device");
  CHECK(absent("/dev/sda", O_RDONLY) == "raw device");
  CHECK(absent("/proc/sysrq-trigger", O_WRONLY) == "power");
  CHECK(absent("/proc/kcore", O_RDWR) == "kernel");
  CHECK(absent("/proc/mtrr", O_RDONLY).empty());
  CHECK(absent("/proc/self/absent", O_WRONLY).empty());
  run.call(20, SYS_syslog, {3, 0, 0}, -EPERM);
  CHECK(run.kind == "look");
  run.call(20, SYS_syslog, {5, 0, 0}, -EPERM);
  CHECK(run.kind == "kernel log");
  run.call(20, SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG}, -EPROTONOSUPPORT);
  CHECK(run.kind == "look");
  run.call(20, SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, -EAFNOSUPPORT);
  CHECK(run.kind == "socket");
  run.call(20, SYS_socket, {AF_INET, SOCK_STREAM, NETLINK_SOCK_DIAG}, -EPROTONOSUPPORT);
  CHECK(run.kind == "socket");
}

TEST_CASE("signals to who was never there are attempts") {
  StreamRun run;
  run.call(20, SYS_kill, {5000, SIGKILL}, -ESRCH);
  CHECK(run.kind == "kill");
  run.call(20, SYS_kill, {11, SIGKILL}, -ESRCH);  // its own number
  CHECK(run.kind.empty());
  run.call(20, SYS_kill, {5000, 0}, -ESRCH);
  CHECK(run.kind.empty());
  run.call(20, SYS_rt_tgsigqueueinfo, {5000, 5000, SIGKILL, 0}, -EFAULT);
  CHECK(run.kind == "kill");
  run.call(20, SYS_rt_tgsigqueueinfo, {11, 11, SIGKILL, 0}, -EFAULT);
  CHECK(run.kind.empty());
  run.call(20, SYS_kill, {static_cast<std::uint64_t>(-1), SIGTERM}, 0);
  CHECK(run.kind == "kill");
}

TEST_CASE("a module that the kernel wanted is an attempt that was denied") {
  StreamRun run;
  struct rh_module wanted = {};
  std::memset(wanted.name, 'x', sizeof wanted.name);  // as long as there is room, without an end
  std::memcpy(wanted.name, "fs-\x1b[31m", 8);
  run.events.add(run.make.begin(wanted, RH_MODULE, 20).done());
  CHECK(run.kind == "module autoload");
  CHECK(run.line.find("load the module fs-\\u{001B}[31mxxx") != std::string::npos);
  CHECK(run.outcome == Outcome::kDenied);
}

TEST_CASE("changes to names in /dev are attempts, also where there is nothing") {
  StreamRun run;
  const auto change = [&](std::uint32_t nr, std::vector<std::uint64_t> args, std::int64_t result,
                          std::vector<std::pair<std::uint8_t, std::string>> texts) {
    run.call(20, nr, std::move(args), result, std::move(texts));
    return run.kind;
  };
  CHECK(change(SYS_unlink, {1}, 0, {{0, "/dev/null"}}) == "device");
  CHECK(change(SYS_chmod, {1, 0666}, -ENOENT, {{0, "/dev/vda"}}) == "raw device");
  CHECK(change(SYS_rename, {1, 2}, 0, {{0, "/dev/null"}, {1, "/tmp/x"}}) == "device");
  CHECK(change(SYS_mknod, {1, S_IFIFO | 0600}, 0, {{0, "/dev/foo"}}) == "raw device");
  CHECK(change(SYS_mkdir, {1}, -EEXIST, {{0, "/dev/foo"}}).empty());
  CHECK(change(SYS_utime, {1}, 0, {{0, "/dev/null"}}).empty());
  CHECK(change(SYS_unlink, {1}, 0, {{0, "/tmp/null"}}).empty());
  CHECK(change(SYS_unlink, {1}, 0, {{0, "/dev/shm/x"}}).empty());
}

TEST_CASE("a named pipe of the host that is opened for writing is an attempt, one of its own is none") {
  StreamRun run;
  const auto opens = [&](std::uint64_t flags, std::int64_t result, std::uint32_t where, const char* path) {
    struct rh_file file = {};
    file.mode = S_IFIFO | 0600;
    file.flags = where;
    run.make.call(RH_EXIT, 20, SYS_openat, {kHere, 1, flags}, result).attach(RH_TEXT, 1, path);
    if (result >= 0)
      run.make.attach(RH_FILE, RH_OPENED, {reinterpret_cast<const char*>(&file), sizeof file}).path(path);
    run.events.add(run.make.done());
    return run.kind;
  };
  CHECK(opens(O_RDWR, 3, RH_ON_OVERLAY, "/srv/pipe") == "pipe");
  CHECK(opens(O_RDONLY, 3, RH_ON_OVERLAY, "/srv/pipe").empty());
  CHECK(opens(O_RDWR, 3, RH_ON_OVERLAY | RH_UPPER, "/srv/own").empty());
  CHECK(opens(O_RDWR, 3, 0, "/").empty());  // pipe(2), by /proc/self/fd
  CHECK(opens(O_WRONLY | O_NONBLOCK, -ENXIO, 0, "/srv/pipe") == "pipe");
  CHECK(opens(O_WRONLY, -EINTR, 0, "/srv/pipe") == "pipe");
  CHECK(opens(O_WRONLY, -ENXIO, 0, "/dev/stdout").empty());
  run.call(20, SYS_mknod, {1, S_IFIFO | 0600}, 0, {{0, "/tmp/own"}});
  CHECK(opens(O_WRONLY | O_NONBLOCK, -ENXIO, 0, "/tmp/own").empty());
}

TEST_CASE("a program that is not executed is shown with the words that it was to have") {
  StreamRun run;
  const auto refused = [&](std::string_view words, std::uint8_t flags) {
    run.make.call(RH_EXIT, 20, SYS_execve, {0x1000, 0x2000, 0x3000}, -ENOENT)
        .attach(RH_TEXT, 0, "/bin/absent")
        .attach(RH_WORDS, 1, words, flags);
    run.events.add(run.make.done());
    return run.line.substr(run.line.find("execve"));
  };
  CHECK(refused(std::string_view("absent\0\0-x\0", 11), 0)
            .starts_with("execve(\"/bin/absent\", [\"absent\", \"\", \"-x\"], 0x3000) = -1 ENOENT"));
  CHECK(refused(std::string_view("a\0b\0", 4), RH_CUT)
            .starts_with("execve(\"/bin/absent\", [\"a\", \"b\", ...], 0x3000)"));
  CHECK(refused({}, RH_FAULT).starts_with("execve(\"/bin/absent\", 0x2000, 0x3000)"));
}

TEST_CASE("an attempt names the capability that a host would ask for") {
  StreamRun run;
  const auto needs = [&](std::uint32_t nr, std::vector<std::uint64_t> args, std::int64_t result) {
    run.call(20, nr, std::move(args), result);
    return run.capability;
  };
  CHECK(needs(SYS_settimeofday, {0x1000, 0}, -EPERM) == "CAP_SYS_TIME");
  CHECK(needs(SYS_mount, {1, 2, 3, 0, 0}, 0) == "CAP_SYS_ADMIN");
  CHECK(needs(SYS_unshare, {CLONE_NEWNET}, -EPERM) == "CAP_SYS_ADMIN");
  CHECK(needs(SYS_unshare, {CLONE_NEWUSER}, -EPERM).empty());
  CHECK(needs(SYS_setgroups, {1, 2}, -EPERM) == "CAP_SETGID");
  CHECK(needs(SYS_mknod, {0x1000, S_IFBLK | 0600, 0x800}, -EPERM) == "CAP_MKNOD");
  CHECK(needs(SYS_socket, {AF_PACKET, SOCK_RAW, 0}, 3) == "CAP_NET_RAW");
  CHECK(needs(SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_SELINUX}, -EPROTONOSUPPORT).empty());
  CHECK(needs(SYS_prctl, {PR_SET_SECUREBITS, 1}, -EPERM) == "CAP_SETPCAP");
  CHECK(needs(SYS_getpid, {}, 1).empty());
  const auto needs_for = [&](std::uint32_t nr, std::uint8_t arg, std::string_view text, std::int64_t result) {
    run.call(20, nr, {kHere, 0x1000, O_RDWR}, result, {{arg, std::string(text)}});
    return run.capability;
  };
  CHECK(needs_for(SYS_setxattr, 1, "trusted.x", -EPERM) == "CAP_SYS_ADMIN");
  CHECK(needs_for(SYS_fremovexattr, 1, "security.capability", -EPERM) == "CAP_SETFCAP");
  CHECK(needs_for(SYS_setxattr, 1, "user.x", -EACCES).empty());
  for (const char* device : {"/dev/mem", "/dev/port", "/dev/kmem"})
    CHECK(needs_for(SYS_openat, 1, device, -ENOENT) == "CAP_SYS_RAWIO");
  CHECK(needs_for(SYS_openat, 1, "/dev/sda", -ENOENT).empty());
}

TEST_CASE("what sets up the network is an attempt, what asks about it is none") {
  StreamRun run;
  const auto sends = [&](std::uint32_t protocol, std::uint16_t type, std::uint32_t next = 0) {
    const struct rh_netlink message = {protocol, 1, 32, type, NLM_F_REQUEST, 156, next};
    run.events.add(run.make.call(RH_EXIT, 20, SYS_sendto, {3, 1, 156}, 156)
                       .attach(RH_NETLINK, 1, {reinterpret_cast<const char*>(&message), sizeof message})
                       .done());
    return run.kind == "network configuration";
  };
  CHECK(sends(NETLINK_ROUTE, RTM_NEWLINK));
  CHECK(sends(NETLINK_ROUTE, RTM_DELROUTE));
  CHECK_FALSE(sends(NETLINK_ROUTE, RTM_GETADDR));
  CHECK(sends(NETLINK_ROUTE, RTM_GETADDR, 32));  // something behind it
  CHECK(sends(NETLINK_NETFILTER, 10 << 8));      // NFT_MSG_NEWTABLE
  CHECK_FALSE(sends(NETLINK_NETFILTER, 10 << 8 | 1));
  CHECK(sends(NETLINK_NETFILTER, 0x10));  // a batch
  CHECK_FALSE(sends(NETLINK_KOBJECT_UEVENT, RTM_NEWLINK));
  run.call(20, SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}, 4);
  run.call(20, SYS_write, {4, 1, 32}, 32);
  CHECK(run.kind == "network configuration");
  run.call(20, SYS_ioctl, {3, 0x8914, 1}, -ENODEV);  // SIOCSIFFLAGS
  CHECK(run.kind == "network configuration");
  run.call(20, SYS_ioctl, {3, 0x8913, 1}, 0);
  CHECK(run.kind.empty());
  run.call(20, SYS_setsockopt, {3, SOL_IP, 64}, -ENOPROTOOPT);
  CHECK(run.kind == "network configuration");
  run.call(20, SYS_setsockopt, {3, SOL_IPV6, 67}, 0);  // IPV6_TCLASS
  CHECK(run.kind.empty());
}

TEST_CASE("objects and processes that were never there are attempts") {
  StreamRun run;
  const auto calls = [&](std::uint32_t nr, std::vector<std::uint64_t> args, std::int64_t result) {
    run.call(20, nr, std::move(args), result);
    return run.kind;
  };
  CHECK(calls(SYS_shmctl, {5, IPC_RMID}, -EINVAL) == "ipc");
  CHECK(calls(SYS_shmctl, {5, IPC_RMID}, 0).empty());
  CHECK(calls(SYS_shmctl, {5, IPC_STAT}, -EINVAL).empty());
  CHECK(calls(SYS_semctl, {5, 0, IPC_SET}, -EIDRM) == "ipc");
  CHECK(calls(SYS_mq_unlink, {1}, -ENOENT) == "ipc");
  CHECK(calls(SYS_setpriority, {PRIO_PROCESS, 5000, 5}, -ESRCH) == "host process");
  CHECK(calls(SYS_setpriority, {PRIO_PROCESS, 11, 5}, -ESRCH).empty());  // its own
  CHECK(calls(SYS_setpriority, {PRIO_USER, 0, 5}, 0) == "host process");
  CHECK(calls(SYS_sched_setaffinity, {5000, 8, 1}, -ESRCH) == "host process");
  CHECK(calls(SYS_prlimit64, {5000, 7, 1}, -ESRCH) == "host process");
  CHECK(calls(SYS_prlimit64, {5000, 7, 0, 1}, -ESRCH).empty());
  run.call(20, SYS_openat, {kHere, 1, O_WRONLY}, -ENOENT, {{1, "/proc/5000/oom_score_adj"}});
  CHECK(run.kind == "host process");
  run.call(20, SYS_openat, {kHere, 1, O_RDONLY}, -ENOENT, {{1, "/proc/5000/oom_score_adj"}});
  CHECK(run.kind.empty());
  run.call(20, SYS_newfstatat, {kHere, 1, 2, 0}, -EACCES, {{1, "/proc/1/ns/user"}});
  CHECK(run.kind == "namespace");
  run.call(20, SYS_newfstatat, {kHere, 1, 2, 0}, -EACCES, {{1, "/root/x"}});
  CHECK(run.kind.empty());
}
