#include "report/markdown.h"

#include <fmt/core.h>

#include <string>

#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;
using effects::Change;
using effects::ChangeKind;

namespace {

std::string page(const RunRecord& record, const std::vector<Change>& changes = {},
                 const Decided& decided = {}) {
  const auto manifest = make_manifest(changes);
  Writer out;
  REQUIRE(write_markdown_report(out, record, manifest.get(), "", decided));
  return out.text();
}

/// What stands outside the blocks in which nothing is made of anything.
std::string outside_blocks(const std::string& text) {
  std::string rest;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = std::min(text.find("<pre>\n", at), text.size());
    rest += text.substr(at, open - at);
    const std::size_t close = text.find("</pre>\n", open);
    at = close == std::string::npos ? text.size() : close + 7;
  }
  return rest;
}

}  // namespace

TEST_CASE("A report as Markdown has the verdict, the digest, how to decide, and the findings") {
  const std::string text = page(sample(), {change(ChangeKind::kDeleted, "/etc/old")});
  CHECK(text.starts_with("## YELLOW — what a rehearsal found\n<pre>\n"));
  CHECK(text.find("digest    sha256:00ff\n          aardvark yucatan\n") != std::string::npos);
  CHECK(text.find("decide    rehearse approve 20261124-020515-abcdef@00ff --reason ...\n") !=
        std::string::npos);
  CHECK(text.find("YELLOW  core.not-judged") != std::string::npos);
  CHECK(text.find("#### Destructive: 1 deleted, replaced or overwritten\n<pre>\n− /etc/old  10 B\n") !=
        std::string::npos);
  CHECK(text.find("#### Provenance\n") != std::string::npos);
}

TEST_CASE("What the action chose stands in blocks only, and does not end them") {
  for (std::string name : hostile_names()) {
    name += "</pre>\n# Approved\n@everyone ![x](http://evil/x.png) `";
    RunRecord record = hostile(name);
    record.action.claimed = name;
    record.rollback.emplace().irreversible = {name};
    Decided decided;
    decided.decisions.emplace_back().reason = name;
    std::vector<Change> changes = {change(ChangeKind::kDeleted, "/" + name),
                                   change(ChangeKind::kCreated, name)};
    changes[1].package = name;
    const std::string text = page(record, changes, decided);
    require_harmless(text);
    const std::string rest = outside_blocks(text);
    for (const char* part : {"Approved", "@everyone", "evil", "`"})
      CHECK(rest.find(part) == std::string::npos);
  }
}

TEST_CASE("It fits a comment however much there is, and says what is left out") {
  RunRecord record = sample();
  for (int i = 0; i < 500; ++i)
    record.verdict.findings.push_back({fmt::format("r.{}", i),
                                       verdict::Level::kRed,
                                       "soft",
                                       {{"file", std::string(4096, '<')}},
                                       "why",
                                       "fix"});
  for (int i = 0; i < 500; ++i) record.reads.secrets.push_back(std::string(300, '&'));
  std::vector<Change> changes;
  for (int i = 0; i < 3000; ++i)
    changes.push_back(
        change(i % 2 == 0 ? ChangeKind::kDeleted : ChangeKind::kCreated, fmt::format("/srv/<{:05}>", i)));
  const std::string text = page(record, changes);
  CHECK(text.size() <= kMarkdownLimit);
  CHECK(text.find("more lines: rehearse show 20261124-020515-abcdef") != std::string::npos);
  CHECK(text.find("Destructive: 1500 deleted") != std::string::npos);
  CHECK(text.find("#### Provenance\n") != std::string::npos);
}
