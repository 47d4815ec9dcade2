#include "trace/call_plans.h"

#include <sys/syscall.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "syscalls/structs.h"
#include "syscalls/table.h"

using namespace rehearse::trace;

namespace {

/// What is read of a call's arguments: "0 in, 0 out".
std::string read_of(unsigned nr) {
  static const std::vector<struct rh_call_plan> plans = [] {
    std::vector<struct rh_call_plan> made(RH_CALLS);
    fill_call_plans(made.data());
    return made;
  }();
  std::string text;
  for (const struct rh_memory& memory : plans[nr].memory) {
    if (memory.arg == RH_NONE) break;
    if (!text.empty()) text += ", ";
    text += std::to_string(memory.arg) + (memory.direction == RH_OUT ? " out" : " in");
  }
  return text;
}

}  // namespace

TEST_CASE("of the most frequent calls no structure is read") {
  for (const unsigned nr : {SYS_read, SYS_write, SYS_openat, SYS_close, SYS_getppid, SYS_lseek, SYS_mmap})
    CHECK(read_of(nr).empty());
}

TEST_CASE("what is read and filled in is read twice") {
  CHECK(read_of(SYS_poll) == "0 in, 0 out");
  CHECK(read_of(SYS_ppoll) == "0 in, 0 out, 2 in, 2 out, 3 in");
  CHECK(read_of(SYS_select) == "1 in, 1 out, 2 in, 2 out, 3 in, 3 out, 4 in, 4 out");
  CHECK(read_of(SYS_pselect6) == "1 in, 1 out, 2 in, 2 out, 3 in, 3 out, 4 in, 4 out, 5 in");
  CHECK(read_of(SYS_wait4) == "1 out, 3 out");
  CHECK(read_of(SYS_futex) == "3 in");
  CHECK(read_of(SYS_ioctl) == "2 in");
}

TEST_CASE("no structure of a call is left out for want of room") {
  for (const rehearse::syscalls::Syscall& call : rehearse::syscalls::all_syscalls()) {
    std::size_t wanted = 0;
    for (std::uint8_t i = 0; i < call.count; ++i) {
      const auto capture = rehearse::syscalls::capture_of(call.args[i], i);
      if (capture) wanted += capture->both ? 2 : 1;
    }
    std::vector<struct rh_call_plan> plans(RH_CALLS);
    fill_call_plans(plans.data());
    const auto& memory = plans[call.nr].memory;
    INFO(call.name);
    CHECK(std::count_if(std::begin(memory), std::end(memory), [](const auto& one) {
            return one.arg != RH_NONE;
          }) == static_cast<std::ptrdiff_t>(wanted));
  }
}
