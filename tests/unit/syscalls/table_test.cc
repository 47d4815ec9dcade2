#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "syscalls/structs.h"
#include "syscalls/table.h"

using namespace rehearse::syscalls;

TEST_CASE("the table is dense and sorted") {
  // 337..423 were never used on x86-64: numbers became common to all architectures at 424.
  std::uint32_t next = 0;
  std::set<std::string_view> names;
  for (const Syscall& call : all_syscalls()) {
    INFO(call.name);
    CHECK(call.nr == next);
    next = call.nr == 336 ? 424 : call.nr + 1;
    CHECK(names.insert(call.name).second);
    CHECK(find_syscall(call.nr) == &call);
    CHECK(find_syscall(call.name) == &call);
  }
  CHECK(next == kLastSyscall + 1);
  CHECK(find_syscall(337U) == nullptr);
  CHECK(find_syscall(kLastSyscall + 1) == nullptr);
  CHECK(find_syscall(0xffffffffU) == nullptr);
  CHECK(find_syscall("") == nullptr);
  CHECK(find_syscall("openat3") == nullptr);
}

/// Calls `visit` for every number and name in a header of the system's, and counts them.
template <class Visit>
std::size_t each_in_header(const std::string& name, const Visit& visit) {
  std::ifstream header("/usr/include/x86_64-linux-gnu/asm/" + name);
  if (!header) header.open("/usr/include/asm/" + name);
  REQUIRE(header);
  std::size_t seen = 0;
  for (std::string line; std::getline(header, line);) {
    std::istringstream words(line);
    std::string define;
    std::string call;
    std::uint32_t number = 0;
    if (!(words >> define >> call >> number) || define != "#define" || call.rfind("__NR_", 0) != 0) continue;
    INFO(line);
    visit(number, call.substr(5));
    ++seen;
  }
  return seen;
}

TEST_CASE("the system's header knows no call that the table does not") {
  const std::size_t seen = each_in_header("unistd_64.h", [](std::uint32_t number, const std::string& name) {
    const Syscall* call = find_syscall(number);
    REQUIRE(call != nullptr);
    CHECK(call->name == name);
  });
  CHECK(seen > 300);
}

TEST_CASE("names of i386's calls are the system's header's") {
  const std::size_t seen = each_in_header(
      "unistd_32.h", [](std::uint32_t number, const std::string& name) { CHECK(i386_name(number) == name); });
  CHECK(seen > 400);
  CHECK(i386_name(222).empty());
  CHECK(i386_name(0xffffffffU).empty());
}

TEST_CASE("arguments are where the decoder and a recorder look for them") {
  for (const Syscall& call : all_syscalls()) {
    INFO(call.name);
    CHECK(static_cast<unsigned>(call.classes) != 0);
    std::size_t strings = 0;
    for (std::size_t i = 0; i < kMaxArguments; ++i) {
      const Arg kind = call.args[i];
      CHECK((kind == Arg::kNone) == (i >= call.count));
      if (kind == Arg::kPath || kind == Arg::kString) CHECK(call.strings()[strings++] == i);
      if (kind == Arg::kSockaddrOut) CHECK(call.args[i + 1] == Arg::kSockaddrLength);
      if (kind == Arg::kSockaddrIn) CHECK((call.args[i + 1] == Arg::kInt || call.args[i + 1] == Arg::kUint));
      const auto capture = capture_of(kind, static_cast<std::uint8_t>(i));
      if (!capture) continue;
      using Length = Capture::Length;
      if (capture->length == Length::kNext || capture->length == Length::kPointer) CHECK(i + 1 < call.count);
      if (capture->length == Length::kBefore) CHECK(i > 0);
      // The programs read at most this much, and only what has a size.
      CHECK(capture->most < 4096);
      CHECK(capture->unit > 0);
    }
    CHECK(strings == call.strings().size());
  }
  CHECK(find_syscall(Nr::mount)->strings().size() == 4);
  CHECK(find_syscall(Nr::connect)->sockaddr_in() == 1);
  CHECK(find_syscall(Nr::sendto)->sockaddr_in() == 4);
  CHECK(find_syscall(Nr::recvfrom)->sockaddr_out() == 4);
  CHECK(!find_syscall(Nr::connect)->sockaddr_out());
}

TEST_CASE("what is recorded at entry") {
  for (const std::string_view name :
       {"openat",     "open",          "execve", "execveat",  "connect",         "bind",         "exit",
        "exit_group", "read",          "write",  "wait4",     "waitid",          "poll",         "ppoll",
        "select",     "pselect6",      "futex",  "nanosleep", "clock_nanosleep", "accept",       "accept4",
        "recvfrom",   "recvmsg",       "sendto", "sendmsg",   "epoll_wait",      "epoll_pwait",  "pause",
        "flock",      "rt_sigsuspend", "vfork",  "unlinkat",  "mount",           "memfd_create", "clone"}) {
    INFO(name);
    REQUIRE(find_syscall(name) != nullptr);
    CHECK(find_syscall(name)->at_entry());
  }
  for (const std::string_view name : {"close", "getpid", "brk", "mmap", "lseek", "socket", "dup", "kill"}) {
    INFO(name);
    CHECK(!find_syscall(name)->at_entry());
  }
}

TEST_CASE("classes and privileges") {
  CHECK(has(find_syscall(Nr::openat)->classes, Class::kFile));
  CHECK(has(find_syscall(Nr::openat)->classes, Class::kDesc));
  CHECK(!has(find_syscall(Nr::openat)->classes, Class::kNetwork));
  CHECK(find_syscall(Nr::mount)->privilege == Privilege::kMount);
  CHECK(find_syscall(Nr::finit_module)->privilege == Privilege::kModule);
  CHECK(find_syscall(Nr::clock_settime)->privilege == Privilege::kClock);
  CHECK(find_syscall(Nr::mknodat)->privilege == Privilege::kRawDevice);
  CHECK(find_syscall(Nr::read)->privilege == Privilege::kNone);
  CHECK(to_string(Privilege::kNone).empty());
  CHECK(to_string(Privilege::kReboot) == "reboot");
  CHECK(to_string(Privilege::kNamespace) == "namespace");
  CHECK(to_string(Privilege::kRawDevice) == "raw device");
  CHECK(to_string(Privilege::kWatch) == "watch");
  CHECK(class_name(Class::kBlocks) == "blocks");
  CHECK(class_name(Class::kFile) == "file");
}
