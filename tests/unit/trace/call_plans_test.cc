#include "trace/call_plans.h"

#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "bpf/events.h"

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

TEST_CASE("what is read and filled in is read twice where there is room") {
  CHECK(read_of(SYS_poll) == "0 in, 0 out");
  CHECK(read_of(SYS_ppoll) == "0 in, 2 in");
  CHECK(read_of(SYS_select) == "1 in, 4 in");
  CHECK(read_of(SYS_pselect6) == "1 in, 4 in");
  CHECK(read_of(SYS_wait4) == "1 out, 3 out");
  CHECK(read_of(SYS_futex) == "3 in");
  CHECK(read_of(SYS_ioctl) == "2 in");
}
