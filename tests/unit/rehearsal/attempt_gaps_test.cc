#include "rehearsal/attempt_gaps.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>

using namespace rehearse;

namespace {

report::RunRecord shell_run(std::optional<int> exit = 0) {
  report::RunRecord record;
  report::ProcessRecord action;
  action.id = 1;
  action.comm = "sh";
  action.exit = exit;
  record.processes.push_back(action);
  return record;
}

void attempts(report::RunRecord& record, const char* what, const char* detail, const char* result,
              std::uint32_t process = 1) {
  record.attempts.push_back({what, detail, "", result, "", process, "", 1});
}

std::string gaps(report::RunRecord record) {
  name_attempt_gaps(record);
  std::string text;
  for (const verdict::Gap& gap : record.gaps)
    text += gap.what + (gap.cap == verdict::Level::kYellow ? "!" : "") + ';';
  return text;
}

}  // namespace

TEST_CASE("what was looked for is named by what it was") {
  auto record = shell_run();
  attempts(record, "look", "syslog(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0)", "denied");
  attempts(record, "look", "openat(AT_FDCWD, \"/dev/kmsg\", O_RDONLY)", "denied");
  CHECK(gaps(record) == "the kernel's log of this host;");
  attempts(record, "look", "openat(AT_FDCWD, \"/proc/1/environ\", O_RDONLY)", "denied");
  CHECK(gaps(record) == "the kernel's log of this host;processes and sockets of this host;");
}

TEST_CASE("what took place in the run alone is named") {
  auto record = shell_run();
  attempts(record, "sysctl", "openat(AT_FDCWD, \"/proc/sys/net/ipv4/ip_forward\", O_WRONLY)", "contained");
  attempts(record, "hostname", "sethostname(\"x\", 1)", "contained");
  attempts(record, "limits", "setrlimit(RLIMIT_CORE, {rlim_cur=0, rlim_max=0})", "faked");
  CHECK(gaps(record) == "2 changes in the run's own kernel objects: hostname, sysctl;");
}

TEST_CASE("a process that would have left a core dump") {
  auto record = shell_run();
  report::ProcessRecord child;
  child.id = 2;
  child.parent = 1;
  child.comm = "sleep";
  child.signal = SIGABRT;
  record.processes.push_back(child);
  attempts(record, "limits",
           "prlimit64(0, RLIMIT_CORE, {rlim_cur=RLIM64_INFINITY, rlim_max=RLIM64_INFINITY}, NULL)", "faked");
  CHECK(gaps(record) == "core dump of [2] sleep (SIGABRT)!;");
  record.processes.back().signal = SIGTERM;
  CHECK(gaps(record).empty());
  record.processes.back().signal = SIGSEGV;
  attempts(record, "limits", "prlimit64(0, RLIMIT_CORE, {rlim_cur=0, rlim_max=0}, NULL)", "faked", 2);
  if (gaps(record).find("core") != std::string::npos) WARN("this host's core_pattern names a program");
}

TEST_CASE("what may be why a command failed") {
  auto record = shell_run(1);
  CHECK(hindrances(record, {}).refused.empty());
  CHECK(hindrances(record, {"memory 64 MiB"}).refused == std::vector<std::string>{"limit: memory 64 MiB"});
  attempts(record, "limits", "prlimit64(0, RLIMIT_NOFILE, {rlim_cur=512*1024, rlim_max=512*1024}, NULL)",
           "denied");
  attempts(record, "limits", "setsockopt(3, SOL_SOCKET, SO_SNDBUFFORCE, [8388608], 4)", "denied");
  CHECK(hindrances(record, {}).refused.empty());
  attempts(record, "clock", "clock_settime(CLOCK_REALTIME, {tv_sec=0, tv_nsec=0})", "denied");
  CHECK(hindrances(record, {}).refused.size() == 1);
  record.processes[0].exit = 0;
  CHECK(hindrances(record, {}).refused.empty());
  record.gaps.push_back({"network: 1 attempts denied", "", verdict::Level::kYellow});
  // What a gap names was not refused: it may have been done.
  record.gaps.push_back({"written where no layer is: /etc/passwd", "", verdict::Level::kYellow});
  CHECK(hindrances(record, {}).refused.empty());
  CHECK(hindrances(record, {}).gaps.size() == 2);
}
