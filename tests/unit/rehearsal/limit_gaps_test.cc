#include "rehearsal/limit_gaps.h"

#include <catch2/catch.hpp>
#include <string>

using namespace rehearse;

namespace {

std::string gaps(const char* detail, const char* result, const char* exe = "/usr/bin/dash",
                 LimitRules rules = {}) {
  report::RunRecord record;
  record.attempts.push_back({"limits", detail, "CAP_SYS_RESOURCE", result, "", 1, exe, 1});
  std::string text;
  for (const verdict::Gap& gap : limit_gaps(record, rules))
    text += gap.what + (gap.cap == verdict::Level::kYellow ? "!" : "") + ';';
  return text;
}

}  // namespace

TEST_CASE("a limit that a host would have raised") {
  const auto* raised = "prlimit64(0, RLIMIT_NOFILE, {rlim_cur=1000000, rlim_max=1000000}, NULL)";
  CHECK(gaps(raised, "denied") == "limits that were not raised: RLIMIT_NOFILE (dash)!;");
  CHECK(gaps(raised, "denied", "/usr/bin/sudo") == "limits that were not raised: RLIMIT_NOFILE (sudo);");
  CHECK(gaps(raised, "denied", "/usr/bin/dash", {false, 1 << 20}).empty());
  CHECK(gaps(raised, "denied", "/usr/bin/dash", {true, 65536}).empty());
  CHECK(gaps("setrlimit(RLIMIT_NOFILE, {rlim_cur=2048*1024, rlim_max=2048*1024})", "denied").empty());
  CHECK(gaps("setrlimit(RLIMIT_NOFILE, {rlim_cur=1024, rlim_max=RLIM64_INFINITY})", "denied").empty());
  CHECK(gaps("setrlimit(RLIMIT_MEMLOCK, {rlim_cur=1024, rlim_max=RLIM64_INFINITY})", "denied") ==
        "limits that were not raised: RLIMIT_MEMLOCK (dash)!;");
  CHECK(gaps("setsockopt(3, SOL_SOCKET, SO_SNDBUFFORCE, [8388608], 4)", "denied").empty());
}

TEST_CASE("a limit of core dumps that seems to be raised") {
  const char* told = "limit of core dumps, which was not raised: dash!;";
  CHECK(gaps("prlimit64(0, RLIMIT_CORE, {rlim_cur=RLIM64_INFINITY, rlim_max=RLIM64_INFINITY}, NULL)",
             "faked") == told);
  CHECK(gaps("setrlimit(RLIMIT_CORE, {rlim_cur=1024, rlim_max=1024})", "faked") == told);
  CHECK(gaps("setrlimit(RLIMIT_CORE, 0x7ffe12345678)", "faked") == told);
  CHECK(gaps("setrlimit(RLIMIT_CORE, {rlim_cur=0, rlim_max=0})", "faked").empty());
  CHECK(gaps("setrlimit(RLIMIT_CORE, {rlim_cur=1, rlim_max=1})", "faked").empty());
}
