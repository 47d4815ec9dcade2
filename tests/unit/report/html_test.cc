#include "report/html.h"

#include <catch2/catch.hpp>
#include <string>

using namespace rehearse;
using namespace rehearse::report;

namespace {

std::string page(const RunRecord& record) {
  Writer out;
  REQUIRE(write_html_report(out, record, -1, "--state /s "));
  return out.text();
}

}  // namespace

TEST_CASE("nothing hostile gets into the page as itself") {
  const std::string evil = "</script><img src=x onerror=alert(1)>\"'&\x1b[31m\xe2\x80\xae";
  RunRecord record;
  record.id = evil;
  record.action.argv = {evil};
  record.action.cwd = evil;
  record.action.claimed = evil;
  record.verdict.findings.push_back({evil, verdict::Level::kRed, "soft", {{evil, evil}}, evil, evil, {evil}});
  record.gaps.push_back({evil, evil, verdict::Level::kYellow});
  record.trace.emplace().trouble = {evil};
  record.processes.push_back({});
  record.processes[0].id = 1;
  record.processes[0].exe = evil;
  record.processes[0].argv = {evil};
  record.network.push_back({});
  record.network[0].dst = record.network[0].name = evil;
  record.network[0].verdict = "denied";
  record.affected.emplace().who.push_back({evil, {{1, evil}}, {evil}, 1, {evil}});
  record.history.emplace().latest.push_back({evil, 0, evil, 0, std::nullopt, true, evil, evil, false});
  const std::string html = page(record);
  CHECK(html.find("<img") == std::string::npos);
  CHECK(html.find('\x1b') == std::string::npos);
  // One element of data, and nothing after it that it could have ended early.
  CHECK(html.find("</script>") == html.rfind("</script>"));
  CHECK(html.find("<script type=\"application/json\" id=\"document\">") != std::string::npos);
  CHECK(html.find("id=\"f-") != std::string::npos);
  CHECK(html.find("default-src 'none'; style-src 'sha256-") != std::string::npos);
  CHECK(html.ends_with("</body></html>\n"));
}

TEST_CASE("text of HTML") {
  CHECK(html_text("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
}
