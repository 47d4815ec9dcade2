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
