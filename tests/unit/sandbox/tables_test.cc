#include <linux/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <functional>
#include <set>

#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/capabilities.h"
#include "sandbox/filesystems.h"
#include "sandbox/init_config.h"
#include "sandbox/seccomp.h"
#include "sandbox/seccomp_table.h"
#include "syscalls/table.h"

using namespace rehearse::sandbox;

namespace {

/// Runs `body` in a child under the product's filter; its result is the child's exit status, 200 + signal if
/// killed.
int under_filter(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto program = seccomp_program();
    const struct sock_fprog filter = {static_cast<unsigned short>(program.size()),
                                      const_cast<struct sock_filter*>(program.data())};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) ::_exit(199);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

template <class... Args>
int error_of(long number, Args... args) {
  return under_filter([=] { return ::syscall(number, args...) < 0 ? errno : 0; });
}

}  // namespace

TEST_CASE("the filter refuses what the table says, with its errno") {
  for (const SeccompRule& rule : seccomp_rules()) {
    if (rule.first) continue;  // conditional ones below
    INFO(rule.name());
    CHECK(error_of(static_cast<long>(rule.number), -1L, -1L, -1L, -1L, -1L) == rule.error);
  }
}

TEST_CASE("every rule is about a call of the table") {
  for (const SeccompRule& rule : seccomp_rules()) {
    INFO(rule.number);
    const auto* call = rehearse::syscalls::find_syscall(rule.number);
    REQUIRE(call != nullptr);
    CHECK(rule.name() == call->name);
    CHECK(rule.number <= kLastKnownSyscall);
  }
}

TEST_CASE("conditional rules compare 32 bits and let the harmless form through") {
  CHECK(error_of(SYS_unshare, CLONE_NEWUSER) == EPERM);
  CHECK(error_of(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) == EPERM);
  CHECK(error_of(SYS_unshare, 0) == 0);
  CHECK(error_of(SYS_socket, 40, SOCK_STREAM, 0) == EAFNOSUPPORT);
  CHECK(error_of(SYS_socket, (1L << 32) | 40, SOCK_STREAM, 0) == EAFNOSUPPORT);
  CHECK(error_of(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == 0);
  CHECK(error_of(SYS_socket, (1L << 32) | AF_UNIX, SOCK_STREAM, 0) == 0);
  CHECK(error_of(SYS_socket, AF_INET, SOCK_STREAM, 132) == EPROTONOSUPPORT);
  CHECK(error_of(SYS_socket, AF_NETLINK, SOCK_RAW, 9) == EAFNOSUPPORT);
  CHECK(error_of(SYS_socket, AF_NETLINK, SOCK_RAW, 0) == 0);
  CHECK(error_of(SYS_personality, 0xffffffffL) == 0);
  CHECK(error_of(SYS_personality, static_cast<long>(ADDR_NO_RANDOMIZE)) == EPERM);
  CHECK(error_of(SYS_ioctl, 0, 0x5412, "x") == EPERM);
  CHECK(error_of(SYS_ioctl, 0, (1L << 32) | 0x5412, "x") == EPERM);
  CHECK(error_of(SYS_seccomp, 1L, 8L, nullptr) == EBUSY);
}

TEST_CASE("numbers above the table do not exist, x32 numbers kill or do not exist") {
  CHECK(error_of(kLastKnownSyscall + 1) == ENOSYS);
  CHECK(error_of(1000) == ENOSYS);
  const int x32 = error_of(0x40000000L | SYS_getppid);
  CHECK((x32 == ENOSYS || x32 == 200 + SIGSYS));
}

TEST_CASE("the core limit cannot be changed, and says it was") {
  CHECK(under_filter([] {
          struct rlimit before = {};
          struct rlimit after = {};
          ::getrlimit(RLIMIT_CORE, &before);
          const struct rlimit other = {before.rlim_cur / 2 + 7, before.rlim_max};
          if (::setrlimit(RLIMIT_CORE, &other) != 0) return 1;
          if (::getrlimit(RLIMIT_CORE, &after) != 0) return 2;
          return after.rlim_cur == before.rlim_cur ? 0 : 3;
        }) == 0);
}

TEST_CASE("every socket family is allowed by name or refused") {
  const auto allowed = allowed_socket_families();
  for (int family = 0; family < kSocketFamilyCount; ++family) {
    if (std::find(allowed.begin(), allowed.end(), family) != allowed.end()) continue;
    INFO(family);
    CHECK(error_of(SYS_socket, family, SOCK_RAW, 0) == EAFNOSUPPORT);
  }
}

TEST_CASE("the capability table names each capability once") {
  std::set<int> seen;
  for (const CapabilityRule& rule : capability_rules()) CHECK(seen.insert(rule.number).second);
  CHECK(seen.size() == CAP_LAST_CAP + 1);
  const std::uint64_t shifted = dropped_capabilities(Profile::kShifted);
  const std::uint64_t root = dropped_capabilities(Profile::kRoot);
  CHECK((shifted >> CAP_SYS_MODULE & 1) == 1);
  CHECK((shifted >> CAP_CHOWN & 1) == 0);
  CHECK((root >> CAP_SYS_ADMIN & 1) == 1);
  CHECK((root & shifted) == shifted);  // the root profile keeps nothing that the shifted one drops
  CHECK((shifted >> 63 & 1) == 1);     // unknown ones go
}

TEST_CASE("filesystem kinds") {
  CHECK(filesystem_kind("ext4") == FilesystemKind::kReal);
  CHECK(filesystem_kind("fuse.anything") == FilesystemKind::kRemote);
  CHECK(filesystem_kind("nfs4") == FilesystemKind::kRemote);
  CHECK(filesystem_kind("squashfs") == FilesystemKind::kReadOnly);
  CHECK(filesystem_kind("tracefs") == FilesystemKind::kKernel);
  CHECK(filesystem_kind("nonsense") == FilesystemKind::kUnknown);
}

TEST_CASE("candidates of a command follow execvp(3)") {
  CHECK(exec_candidates("/bin/x", "/a:/b") == std::vector<std::string>{"/bin/x"});
  CHECK(exec_candidates("./x", "/a") == std::vector<std::string>{"./x"});
  CHECK(exec_candidates("x", "/a:/b") == std::vector<std::string>{"/a/x", "/b/x"});
  CHECK(exec_candidates("x", "/a::/b") == std::vector<std::string>{"/a/x", "./x", "/b/x"});
}
