#include <catch2/catch.hpp>

#include "report/context_text.h"
#include "report/text_width.h"

using namespace rehearse::report;

TEST_CASE("who is affected is told by unit or process, bounded and escaped") {
  Affected affected;
  CHECK(affected_text(affected, 0).find("nobody holds what changes") != std::string::npos);
  AffectedOne web{
      "nginx.service", {{10, "nginx"}, {11, "nginx"}}, {"executes /usr/sbin/nginx"}, 1, {"tcp 80"}};
  AffectedOne other{"", {{12, "evil\x1b[31m"}}, {}, 9, {}};
  for (const char* path : {"/a", "/b", "/c"}) other.reasons.push_back(std::string("reads ") + path);
  affected.who = {web, other};
  affected.logins = {{"ann", "pts/0", "10.0.0.7", 0}};
  const std::string text = affected_text(affected, 80);
  CHECK(text.find("nginx.service, 2 processes: nginx (pid 10)") != std::string::npos);
  CHECK(text.find("listens on tcp 80") != std::string::npos);
  CHECK(text.find("and 6 more") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("logged in: ann on pts/0 from 10.0.0.7") != std::string::npos);
}

TEST_CASE("what no failure among so many says") {
  CHECK(failure_bound(0) == 1.0);
  CHECK(failure_bound(1) == Approx(0.95));
  CHECK(failure_bound(100) == Approx(0.0295).epsilon(0.01));
  History history;
  history.runs = 2;
  history.clean_streak = 3;
  history.latest = {{"20260101-000000-000000", 0, "green", 0, std::nullopt, true, "", "done", true},
                    {"20260101-000000-000001", 0, "red", std::nullopt, 9, false, "it failed", "", false}};
  const std::string text = history_text(history, Style(false), 0);
  CHECK(text.find("2 other runs of this action") != std::string::npos);
  CHECK(text.find("0 failures in 3") != std::string::npos);
  CHECK(text.find("promoted: done, taken back") != std::string::npos);
  CHECK(text.find("signal 9, other effects") != std::string::npos);
  CHECK(text.find("not clean: it failed") != std::string::npos);
}
