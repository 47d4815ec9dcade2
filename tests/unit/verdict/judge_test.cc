#include "verdict/judge.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::verdict;

namespace {
bool has(const std::vector<Finding>& findings, const std::string& rule) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& f) { return f.rule == rule; });
}
Verdict judged(const Facts& facts, std::vector<Gap> gaps = {}) {
  return judge(core_findings(facts), gaps, {}, {}).verdict;
}
Facts fine() {
  Facts facts;
  facts.exit = 0;
  return facts;
}
}  // namespace

TEST_CASE("A clean run has nothing wrong with it whatever the policy") {
  CHECK(core_findings(fine()).empty());
}

TEST_CASE("A command that was refused something may fail by that") {
  Facts facts;
  facts.exit = 1;
  CHECK(core_findings(facts).at(0).why.find("fail on the host as well") != std::string::npos);
  facts.hindered = {"clock: settimeofday(...): EPERM"};
  const Finding failed = core_findings(facts).at(0);
  CHECK(failed.why.find("fail on the host as well") == std::string::npos);
  REQUIRE(failed.evidence.size() == 2);
  CHECK(failed.evidence[1].text == facts.hindered[0]);
  facts.hindered.clear();
  facts.unseen = {"written where no layer is: /etc/passwd"};
  const Finding unseen = core_findings(facts).at(0);
  CHECK(unseen.evidence.at(1).kind == "gap");
  CHECK(unseen.why.find("fail on the host as well") == std::string::npos);
  CHECK(unseen.why.find("refused") == std::string::npos);
}

TEST_CASE("Each way a command can go wrong is a finding") {
  const auto with = [](auto change) {
    Facts facts = fine();
    change(facts);
    return core_findings(facts);
  };
  CHECK(has(with([](Facts& f) { f.exit = 3; }), "core.command-failed"));
  CHECK(has(with([](Facts& f) { f.exit.reset(), f.signal = 9; }), "core.command-killed"));
  CHECK(has(with([](Facts& f) { f.timed_out = true; }), "core.timed-out"));
  CHECK(has(with([](Facts& f) { f.start_error = "not found"; }), "core.not-started"));
  CHECK(has(with([](Facts& f) { f.limits_hit = {"memory"}; }), "core.limit-hit"));
  CHECK(has(with([](Facts& f) { f.leftover = {"7 daemon"}; }), "core.leftover-processes"));
  CHECK(has(with([](Facts& f) { f.output_cut = true; }), "core.output-cut"));
  CHECK(has(with([](Facts& f) { f.base_moved = 1; }), "core.base-moved"));
  CHECK(has(with([](Facts& f) { f.mock_trouble = {"GET /x"}; }), "core.mock-unmatched"));
  CHECK(has(with([](Facts& f) { f.reads_moved = {"/etc/hosts"}; }), "core.read-moved"));
  CHECK(has(with([](Facts& f) { f.masked = 1; }), "core.masked-write"));
  Facts failed = fine();
  failed.exit = 3;
  CHECK(judged(failed).level == Level::kYellow);
}

TEST_CASE("What was not observed is never better than inconclusive") {
  Facts facts = fine();
  facts.unobserved = {"layer /: cannot read"};
  CHECK(judged(facts).level == Level::kInconclusive);
  CHECK(judged(facts).fidelity_score == Approx(0.5));
  facts = fine();
  CHECK(judged(facts, {{"a mount", "hidden", Level::kInconclusive}}).level == Level::kInconclusive);
  const std::vector<Gap> gaps = {{"a mount", "hidden", Level::kYellow},
                                 {"clock", "not the same", Level::kGreen}};
  CHECK(judged(facts, gaps).level == Level::kYellow);
  CHECK(judged(facts, gaps).fidelity_score == Approx(0.9 * 0.98));
}

TEST_CASE("Exit codes: inconclusive is never zero") {
  const auto code = [](Level level, FailOn on) { return static_cast<int>(exit_code(level, on)); };
  CHECK(code(Level::kGreen, FailOn::kYellow) == 0);
  CHECK(code(Level::kYellow, FailOn::kYellow) == 10);
  CHECK(code(Level::kYellow, FailOn::kRed) == 0);
  CHECK(code(Level::kYellow, FailOn::kNever) == 0);
  CHECK(code(Level::kRed, FailOn::kYellow) == 11);
  CHECK(code(Level::kRed, FailOn::kRed) == 11);
  CHECK(code(Level::kRed, FailOn::kNever) == 0);
  for (const FailOn on : {FailOn::kYellow, FailOn::kRed, FailOn::kNever})
    CHECK(code(Level::kInconclusive, on) == 12);
}

TEST_CASE("--fail-on words") {
  CHECK(parse_fail_on("red") == FailOn::kRed);
  CHECK(parse_fail_on("yellow") == FailOn::kYellow);
  CHECK(parse_fail_on("never") == FailOn::kNever);
  CHECK(!parse_fail_on("green"));
  CHECK(parse_fail_on("").error().exit == ExitCode::kUsage);
}
