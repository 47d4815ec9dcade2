#include "syscalls/argument_names.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <string>

#include "syscalls/argument_value.h"

using namespace rehearse::syscalls;

namespace {

int index_of(std::string_view call, std::string_view name) {
  const auto found = find_argument(*find_syscall(call), name);
  return found ? *found : -1;
}

std::string text(Call call, std::size_t index) {
  const auto value = argument_value(call, index);
  if (!value) return "nothing";
  const std::string number =
      value->is_signed ? std::to_string(static_cast<std::int64_t>(value->bits)) : std::to_string(value->bits);
  return value->text.empty() ? number : number + " " + value->text;
}

}  // namespace

TEST_CASE("every argument has a name") {
  for (const Syscall& call : all_syscalls()) {
    INFO(call.name);
    const auto names = argument_names(call);
    REQUIRE(names.size() == call.count);
    for (std::size_t i = 0; i < names.size(); ++i) {
      INFO(names[i]);
      CHECK(find_argument(call, names[i]) == i);
      CHECK(is_argument_name(names[i]));
    }
  }
}

TEST_CASE("arguments are found by what the manual, Falco and the kernel call them") {
  CHECK(index_of("openat", "pathname") == 1);
  CHECK(index_of("openat", "path") == 1);
  CHECK(index_of("openat", "name") == 1);
  CHECK(index_of("openat", "filename") == 1);
  CHECK(index_of("openat", "dfd") == 0);
  CHECK(index_of("openat", "flags") == 2);
  CHECK(index_of("openat2", "flags") == 2);
  CHECK(index_of("chdir", "pathname") == 0);
  CHECK(index_of("renameat2", "oldpath") == 1);
  CHECK(index_of("renameat2", "newpath") == 3);
  CHECK(index_of("symlink", "newpath") == 1);
  CHECK(index_of("setxattr", "name") == 1);
  CHECK(index_of("setxattr", "path") == 0);
  CHECK(index_of("ioctl", "request") == 1);
  CHECK(index_of("ioctl", "cmd") == 1);
  CHECK(index_of("ioctl", "op") == 1);
  CHECK(index_of("prctl", "option") == 0);
  CHECK(index_of("connect", "fd") == 0);
  CHECK(index_of("connect", "addr") == 1);
  CHECK(index_of("sendto", "addr") == 4);
  CHECK(index_of("chown", "uid") == 1);
  CHECK(index_of("chown", "owner") == 1);
  CHECK(index_of("write", "size") == 2);
  CHECK(index_of("write", "fd") == 0);
  CHECK(index_of("mount", "flags") == 3);
  CHECK(index_of("mount", "fstype") == 2);
  CHECK(index_of("mmap", "prot") == 2);
  CHECK(index_of("clone3", "flags") == 0);
  CHECK(index_of("close", "path") == -1);
  CHECK(index_of("getpid", "fd") == -1);
  CHECK(index_of("openat", "nosuch") == -1);
  CHECK(index_of("openat", "") == -1);
  CHECK_FALSE(is_argument_name("nosuch"));
  CHECK_FALSE(is_argument_name(""));
  CHECK(nearest_argument_name("falgs") == "flags");
  CHECK(nearest_argument_name("pathnam") == "pathname");
  CHECK(nearest_argument_name(std::string(5000, 'x')).empty());
}

TEST_CASE("an argument is a number and what that is called") {
  const std::uint64_t here = static_cast<std::uint32_t>(AT_FDCWD);
  const Call open = {.nr = SYS_openat, .args = {here, 0x1000, O_WRONLY | O_CREAT | O_TRUNC, 0666}};
  CHECK(text(open, 0) == "-100 AT_FDCWD");
  CHECK(text(open, 1) == "4096 0x1000");
  CHECK(text(open, 2) == "577 O_WRONLY|O_CREAT|O_TRUNC");
  CHECK(text(open, 3) == "438 0666");
  CHECK(text(open, 4) == "nothing");
  CHECK(text({.nr = SYS_openat, .args = {here, 0x1000, O_RDONLY, 0x7777}}, 3) == "nothing");
  CHECK(text({.nr = SYS_close, .args = {0xffffffffffffffff}}, 0) == "-1");
  CHECK(text({.nr = SYS_fchown, .args = {3, 0xffffffff, 7}}, 1) == "4294967295 -1");
  CHECK(text({.nr = SYS_ioctl, .args = {1, TIOCGWINSZ, 0}}, 1) == "21523 TIOCGWINSZ");
  CHECK(text({.nr = SYS_clone, .args = {CLONE_VM | CLONE_VFORK | SIGCHLD}}, 0) ==
        "16657 CLONE_VM|CLONE_VFORK|SIGCHLD");
  CHECK(text({.nr = SYS_lseek, .args = {1, 0xffffffffffffffff, SEEK_END}}, 1) == "-1");
  CHECK(text({.nr = 0xffffffff}, 0) == "nothing");
  CHECK(text({.nr = SYS_openat, .abi = 1}, 0) == "nothing");
}
