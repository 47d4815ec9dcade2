#include "report/process_text.h"

#include <catch2/catch.hpp>

using namespace rehearse::report;

namespace {

ProcessRecord process(std::uint32_t id, const char* exe, std::int64_t took_ns) {
  ProcessRecord made;
  made.id = id;
  made.exe = exe;
  made.start_ns = 1000;
  made.end_ns = 1000 + took_ns;
  made.user_ns = 2'000'000;
  return made;
}

}  // namespace

TEST_CASE("what is cut of a command is said") {
  RunRecord record;
  record.processes = {process(1, "/bin/a", 5'000'000)};
  record.processes.back().argv = {"a", std::string(5000, 'x'), "--delete-everything"};
  const std::string text = process_tree_text(record, Style(false), 0, 10);
  CHECK(text.find(std::string(4096, 'x') + "…(+904 bytes) …(+1 words, 20 bytes)\n") != std::string::npos);
  record.processes.back().argv = {"a", "b c"};
  CHECK(process_tree_text(record, Style(false), 0, 10).ends_with("/bin/a 'b c'\n"));
}

TEST_CASE("the slowest processes, the longest first") {
  RunRecord record;
  record.processes = {process(1, "/bin/a", 5'000'000), process(2, "/bin/b\x1b[2J", 9'000'000),
                      process(3, "/bin/c", 1'000'000), process(4, "/bin/alive", 0)};
  record.processes.back().end_ns.reset();
  CHECK(slowest_text(record, 0, 2) ==
        "     2     9.0 ms     2.0 ms computing  /bin/b\\u{001B}[2J\n"
        "     1     5.0 ms     2.0 ms computing  /bin/a\n");
  record.processes.resize(1);
  CHECK(slowest_text(record, 0, 2).empty());
}

TEST_CASE("A process that calls itself by another name than its program's is shown to") {
  const auto shown = [](const char* exe, const char* name) {
    RunRecord record;
    ProcessRecord process;
    process.id = 1;
    process.exe = exe;
    process.argv = {name, "-l"};
    record.processes.push_back(process);
    std::string text = process_tree_text(record, Style(false), 0, 10);
    return text.substr(text.find('/'));
  };
  CHECK(shown("/memfd:evil", "/usr/bin/dpkg") == "/memfd:evil (called itself /usr/bin/dpkg) -l\n");
  CHECK(shown("/tmp/dpkg", "/usr/bin/dpkg") == "/tmp/dpkg (called itself /usr/bin/dpkg) -l\n");
  CHECK(shown("/usr/bin/evil", "[kworker/0:1]") == "/usr/bin/evil (called itself [kworker/0:1]) -l\n");
  CHECK(shown("/usr/bin/dash", "/bin/sh") == "/usr/bin/dash -l\n");
  CHECK(shown("/usr/bin/bash", "-bash") == "/usr/bin/bash -l\n");
  CHECK(shown("/usr/bin/python3.11", "python3") == "/usr/bin/python3.11 -l\n");
  CHECK(shown("/usr/bin/dpkg", "dpkg") == "/usr/bin/dpkg -l\n");
}
