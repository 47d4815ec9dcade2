#include "verdict/expectation.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace rehearse::verdict;

namespace {

struct Judged {
  std::vector<Expectation> rows;
  std::vector<Finding> findings;
};

struct Path {
  std::string path;
  std::string from;
};

Judged judge(const Expectations& expected, const Happened& happened, const std::vector<Path>& changes = {}) {
  ChangedPaths paths(expected);
  for (const Path& change : changes) paths.add(change.path, change.from);
  auto rows = compare(expected, happened, paths);
  auto findings = judge_expectations(expected, rows, paths, happened);
  return {std::move(rows), std::move(findings)};
}

Happened well() {
  Happened happened;
  happened.ending = "0";
  happened.exit = 0;
  happened.wall_ns = 2'000'000'000;
  happened.paths_known = true;
  happened.network_known = true;
  return happened;
}

std::string rules(const Judged& judged) {
  std::string text;
  for (const Finding& finding : judged.findings) text += (text.empty() ? "" : " ") + finding.rule;
  return text;
}

}  // namespace

TEST_CASE("what was declared and happened is met") {
  Expectations expected;
  expected.exit = 0;
  expected.wall_ns = 30'000'000'000;
  expected.may_change = {"/etc/nginx/**"};
  expected.must_change = {"/etc/nginx/nginx.conf"};
  expected.must_not_change = {"/etc/passwd"};
  expected.net = std::vector<std::string>();
  expected.units = {"nginx.service:reload"};
  expected.probes = {{{"true"}, 0, 1, {"ok"}}};
  Happened happened = well();
  happened.units = {{"nginx.service", "reload"}};
  happened.probes = {{true, "", 0, std::nullopt, false, "", "it is ok\n"}};
  const auto judged = judge(expected, happened, {{"/etc/nginx/nginx.conf", ""}, {"/etc/nginx", ""}});
  CHECK(judged.findings.empty());
  REQUIRE(judged.rows.size() == 8);
  CHECK(std::ranges::all_of(judged.rows, &Expectation::met));
  CHECK(declared(expected).size() == 8);
}

TEST_CASE("each kind of mismatch is a finding of its own, as red as was asked for") {
  Expectations expected;
  expected.level = Level::kRed;
  expected.exit = 0;
  expected.wall_ns = 1;
  expected.memory_bytes = 10;
  expected.write_bytes = 10;
  expected.cpu_ns = 1;
  expected.may_change = std::vector<std::string>();
  expected.must_change = {"/a", "/b"};
  expected.must_not_change = {"/c/**"};
  expected.net = std::vector<std::string>();
  expected.units = std::vector<std::string>();
  expected.probes = {{{"false"}, 0, 1, {}}};
  Happened happened = well();
  happened.exit = 3;
  happened.memory_bytes = happened.written_bytes = 10;
  happened.cpu_ns = 1;
  happened.network = {"tcp 203.0.113.9:80: denied"};
  happened.units = {{"a.service", "stop"}, {"", "daemon-reload"}};
  happened.probes = {{true, "", 1, std::nullopt, false, "", ""}};
  const auto judged = judge(expected, happened, {{"/a", ""}, {"/c/d/e", ""}});
  CHECK(rules(judged) ==
        "expect.exit expect.wall expect.cpu expect.memory expect.write expect.may-change expect.must-change "
        "expect.must-not-change expect.net expect.units expect.probe");
  for (const Finding& finding : judged.findings) CHECK(finding.level == Level::kRed);
}

TEST_CASE("nothing unknown is met") {
  Expectations expected;
  expected.exit = 0;
  expected.may_change = {"/**"};
  expected.must_not_change = {"/x"};
  expected.net = {"*:*"};
  expected.probes = {{{"true"}, 0, 1, {}}};
  Happened happened;
  happened.ending = "killed by SIGKILL";
  happened.probes = {{}};
  const auto judged = judge(expected, happened);
  CHECK(std::ranges::none_of(judged.rows, &Expectation::met));
}

TEST_CASE("a renamed directory takes along what lies below") {
  Expectations expected;
  expected.must_not_change = {"/etc/nginx/nginx.conf"};
  CHECK(rules(judge(expected, well(), {{"/etc/old", "/etc/nginx"}})) == "expect.must-not-change");
  CHECK(judge(expected, well(), {{"/etc/old", "/etc/ngin"}}).findings.empty());
  expected = {};
  expected.may_change = {"/new"};
  CHECK(rules(judge(expected, well(), {{"/new", "/old"}})) == "expect.may-change");
}

TEST_CASE("many unexpected paths are counted, not all listed") {
  Expectations expected;
  expected.may_change = {"/tmp/*"};
  std::vector<Path> changes;
  for (int i = 0; i < 1000; ++i) changes.push_back({"/tmp/a/" + std::to_string(i), ""});
  const auto judged = judge(expected, well(), changes);
  REQUIRE(judged.findings.size() == 1);
  CHECK(judged.findings[0].evidence.size() < 30);
  CHECK(judged.findings[0].evidence.back().text == "980 more");
}

TEST_CASE("accounts and packages that may, must and must not change") {
  Expectations expected;
  expected.accounts.may = std::vector<std::string>{"user-added:deploy", "member-*:deploy:www-data"};
  expected.accounts.must = {"user-added:deploy"};
  expected.accounts.must_not = {"*:root"};
  expected.packages.may = std::vector<std::string>();
  expected.packages.must_not = {"removed:*"};
  Happened happened = well();
  happened.accounts.all = {"user-added:deploy", "member-added:deploy:www-data"};
  auto judged = judge(expected, happened);
  CHECK(judged.findings.empty());
  REQUIRE(judged.rows.size() == 5);
  CHECK(declared(expected).size() == 5);

  happened.accounts.all = {"user-changed:root", "user-removed:deploy"};
  happened.packages.all = {"removed:nginx"};
  judged = judge(expected, happened);
  CHECK(rules(judged) ==
        "expect.accounts-may expect.accounts-must expect.accounts-must-not expect.packages-may "
        "expect.packages-must-not");
  CHECK(judged.findings[0].evidence.back().text == "user-removed:deploy");
  CHECK(judged.findings[2].evidence.back().text == "user-changed:root");

  // Of what is not all known only what happened is met.
  happened.accounts.all = {"user-added:deploy"};
  happened.packages.all.clear();
  happened.accounts.unknown = happened.packages.unknown = "a file could not be read";
  judged = judge(expected, happened);
  CHECK(rules(judged) ==
        "expect.accounts-may expect.accounts-must-not expect.packages-may expect.packages-must-not");
  CHECK(judged.rows[0].got.find("a file could not be read") != std::string::npos);
}

TEST_CASE("patterns of paths are those of policies, and a deep one means its top too") {
  Expectations expected;
  expected.may_change = {"/etc/nginx/**", "/srv/site?/[ab]"};
  CHECK(judge(expected, well(), {{"/etc/nginx", ""}, {"/etc/nginx/a/b", ""}, {"/srv/site1/a", ""}})
            .findings.empty());
  CHECK(rules(judge(expected, well(), {{"/etc/nginx2", ""}})) == "expect.may-change");
  CHECK(rules(judge(expected, well(), {{"/srv/site1/c", ""}})) == "expect.may-change");
  expected.may_change = {"/**"};
  CHECK(judge(expected, well(), {{"/", ""}, {"/a", ""}}).findings.empty());
  // The same pattern in two lists.
  expected.must_change = {"/**", "/x"};
  CHECK(rules(judge(expected, well(), {{"/a", ""}})) == "expect.must-change");
}
