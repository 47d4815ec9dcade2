#include "report/sarif.h"

#include <nlohmann/json.hpp>

#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;

TEST_CASE("Findings as SARIF") {
  RunRecord record = sample();
  record.verdict.findings = {
      {"latent.cron",
       verdict::Level::kRed,
       "hard",
       {{"file", "/etc/cron.d/a b"}, {"process", "x"}},
       "Later.",
       "No."},
      {"latent.cron", verdict::Level::kRed, "hard", {}, "Later.", "No."},
      {"site.advice", verdict::Level::kYellow, "advisory", {}, "See [this](http://evil).", ""},
      {"safe.x", verdict::Level::kGreen, "soft", {}, "Fine.", ""}};
  record.verdict.findings[0].refs = {"T1053.003"};
  const auto document = nlohmann::json::parse(to_sarif(record));
  CHECK(document["version"] == "2.1.0");
  const auto& run = document["runs"][0];
  const auto& rules = run["tool"]["driver"]["rules"];
  REQUIRE(rules.size() == 3);
  CHECK(rules[0]["id"] == "latent.cron");
  CHECK(rules[0]["properties"]["tags"][0] == "T1053.003");
  const auto& results = run["results"];
  REQUIRE(results.size() == 4);
  CHECK(results[0]["level"] == "error");
  CHECK(results[0]["locations"].size() == 1);
  CHECK(results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] ==
        "file:///etc/cron.d/a%20b");
  CHECK(results[1]["ruleIndex"] == 0);
  CHECK(results[2]["level"] == "note");
  CHECK(results[2]["message"]["text"] == "See \\[this\\](http://evil).");
  CHECK(results[3]["kind"] == "pass");
}

TEST_CASE("SARIF of hostile names is a document all the same") {
  for (const std::string& name : hostile_names()) {
    RunRecord record = hostile(name);
    record.verdict.findings[0].evidence.push_back({"file", "/" + name});
    const std::string text = to_sarif(record);
    require_harmless(text, true);
    CHECK(nlohmann::json::accept(text));
  }
}
