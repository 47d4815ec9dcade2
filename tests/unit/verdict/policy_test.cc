// Policy files: what is taken, what is refused and how, and what the digest covers.
#include <catch2/catch.hpp>

#include "base/digest.h"
#include "verdict/policy_file.h"
#include "verdict/policy_set.h"

using namespace rehearse;
using namespace rehearse::verdict;

namespace {

const std::string kPolicyHead = "schema = \"rehearse.policy/1\"\n";
const std::string kRule = kPolicyHead + R"(
[[rule]]
id = "priv.setuid-new"
level = "red"
why = "w"
[rule.match.file]
change = ["created", "modified"]
mode_gain = "setuid"
)";

Result<Policy> read(const std::vector<std::string>& texts) {
  PolicyMerge merge;
  int number = 0;
  for (const std::string& text : texts) RH_CHECK(merge.add(text, "p" + std::to_string(++number) + ".toml"));
  return merge.finish();
}

std::string policy_error(const std::string& text) {
  const auto policy = read({text});
  REQUIRE(!policy);
  CHECK(policy.error().exit == ExitCode::kConfig);
  return policy.error().what + "; " + policy.error().fix;
}

void check_error(const std::string& text, const std::string& part) {
  const std::string error = policy_error(text);
  INFO(error);
  CHECK(error.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("A rule is read with its defaults") {
  const auto policy = read({kRule});
  REQUIRE(policy);
  REQUIRE(policy->rules.size() == 1);
  const Rule& rule = policy->rules[0];
  CHECK(rule.level == Level::kRed);
  CHECK(rule.enforce == Enforce::kSoft);
  CHECK(rule.decides());
  CHECK(rule.place == "p1.toml:3:1");
  REQUIRE(rule.tables.size() == 1);
  CHECK(rule.tables[0].conditions.size() == 2);
  CHECK(rule.tables[0].at_least == 1);
}

TEST_CASE("What is wrong is named with file, line, column and the nearest word") {
  check_error(kPolicyHead + "[[rule]]\nidd = \"a.b\"\n",
              "p1.toml:3:1: unknown key \"idd\" of [[rule]]; the nearest known key is \"id\"");
  check_error(kRule + "chnage = \"created\"\n", "the nearest known key is \"change\"");
  check_error(kRule + "not_chnage = \"created\"\n", "the nearest known key is \"not_change\"");
  check_error(kRule + "type = \"fiel\"\n", "did you mean \"file\"?");
  check_error(kRule + "path = \"etc/x\"\n", "begins neither with / nor with **");
  check_error(kRule + "path = []\n", "is empty, and would never hold");
  check_error(kRule + "size = \"<\"\n", "p1.toml:10:8");
  check_error(kRule + "size = 1.5\n", "neither a whole number nor a text");
  check_error(kRule + "at_least = 3\nat_most = 2\n", "is less than at_least");
  check_error(kRule + "[rule.match.fiel]\n", "the nearest known key is \"file\"");
  check_error(kRule + "[breaker]\n", "is not supported by this version");
  check_error(kRule + "[standing]\n", "\"roles\" is missing or empty");
  check_error(kRule + "[standing]\nroles = [\"a\"]\ndays = 2\n", "distinct_days is more than days");
  check_error(kRule + "[override]\nroles = [\"a\"]\nmax_ttl = \"x\"\n", "is no length of time");
  check_error(kRule + "[skip]\nread_onyl = true\n", "the nearest known key is \"read_only\"");
  check_error("", "\"schema\" is missing");
  check_error("schema = \"rehearse.policy/2\"", "write \"rehearse.policy/1\"");
  check_error(kPolicyHead + "[[rule]]\nid = \"a.b\"\nlevel = \"redd\"\n", "did you mean \"red\"?");
  check_error(kPolicyHead + "[[rule]]\nid = \"a.b\"\nlevel = \"red\"\nwhy = \"w\"\n",
              "has no [rule.match.SUBJECT]");
  check_error(kPolicyHead + "[[rule]]\nid = \"A b\"\n", "is no name of a rule");
  check_error(kPolicyHead + "[[rule]]\nid = \"core.x\"\n", "are rehearse's own");
  check_error(kPolicyHead + "[[rule]]\nid = \"a.b\"\nlevel = \"red\"\nwhy = \"w\"\n[rule.match]\n",
              "matches nothing");
  check_error(kPolicyHead + "x = [", "p1.toml:2");
}

TEST_CASE("A green rule has to say which effects it accepts") {
  const std::string green = kPolicyHead + "[[rule]]\nid = \"a.b\"\nlevel = \"green\"\nwhy = \"w\"\n";
  check_error(green + "[rule.match.command]\nexit = 0\n", "is green without [rule.match.only]");
  CHECK(read({green + "[rule.match.only]\nfiles = [\"/tmp/**\"]\n"}));
}

TEST_CASE("Exceptions need a rule, a subject, an owner, a reason and an end") {
  const std::string head = kRule + "[[exception]]\nrule = \"priv.setuid-new\"\n";
  const std::string whole = head + "path = \"/x\"\nowner = \"alice\"\nreason = \"r\"\nexpires = 2027-03-01\n";
  const auto policy = read({whole});
  REQUIRE(policy);
  CHECK(policy->exceptions.at(0).expires == "2027-03-01");
  CHECK(policy->exceptions[0].expires_ns == 1'803'859'200'000'000'000);  // date -ud 2027-03-01 +%s
  CHECK(read({head + "path = \"/x\"\nowner = \"a\"\nreason = \"r\"\nexpires = 9999-12-31\n"})
            ->exceptions[0]
            .expires_ns > 0);
  check_error(head, "says neither path nor name nor action");
  check_error(head + "path = \"/x\"\n", "\"owner\" is missing");
  check_error(head + "path = \"/x\"\nowner = \"a\"\nreason = \"r\"\n", "\"expires\" is missing");
  check_error(head + "path = \"/x\"\nowner = \"a\"\nreason = \"r\"\nexpires = \"2027-03-01\"\n",
              "is a text, not a date");
  check_error(kPolicyHead +
                  "[[exception]]\nrule = \"no.such\"\npath = \"/x\"\nowner = \"a\"\nreason = \"r\"\nexpires "
                  "= 2027-03-01\n",
              "there is no rule \"no.such\"");
}

TEST_CASE("Limits, approvals and tests are read and part of the digest") {
  const std::string more = R"(
[limits]
per_hour = { deletes = 200, bytes_written = "2GiB" }
[approval.yellow]
need = 1
roles = ["operators"]
ttl = "4h"
[[test]]
name = "t"
bundle = "b"
expect = { verdict = "yellow", rules = ["id.user-added"] }
)";
  const auto policy = read({kRule, kPolicyHead + more});
  REQUIRE(policy);
  CHECK(policy->limits_per_hour.at("bytes_written") == std::int64_t{2} << 30);
  CHECK(policy->approvals.at("yellow").ttl_ns == 4 * 3'600'000'000'000);
  CHECK(policy->approvals.at("yellow").not_requester);
  CHECK(policy->tests.at(0).rules.at(0) == "id.user-added");
  CHECK(policy->digest != read({kRule})->digest);
  check_error(kPolicyHead + "[approval.blue]\n", "unknown key \"blue\"");
  check_error(kPolicyHead + "[approval.red]\nneed = 0\n", "out of range");
  check_error(kPolicyHead + "[limits]\nper_hour = { delets = 1 }\n", "nearest known key is \"deletes\"");
  check_error(kPolicyHead + "[[test]]\nname = \"t\"\nbundle = \"b\"\nexpect = {}\n", "expects nothing");
}

TEST_CASE("Overrides, standing approvals and skips are read; the last file that has a table decides") {
  const auto policy = read(
      {kPolicyHead + "[override]\nroles = [\"a\"]\n[standing]\nroles = [\"b\"]\n[skip]\nread_only = true\n",
       kPolicyHead + "[standing]\nroles = [\"c\"]\nruns = 5\nttl = \"2d\"\n"});
  REQUIRE(policy);
  CHECK(policy->overriding->max_ttl_ns == 4 * 3'600'000'000'000);
  CHECK(policy->standing->roles == std::vector<std::string>{"c"});
  CHECK(policy->standing->runs == 5);
  CHECK(policy->standing->resample == 25);
  CHECK(policy->skip.read_only);
  CHECK(
      policy->canonical ==
      R"({"override":{"roles":["a"]},"schema":"rehearse.policy/1","skip":{"read_only":true},"standing":{"roles":["c"],"runs":5,"ttl":"2d"}})");
  CHECK(!read({kRule})->standing);
}

TEST_CASE(
    "The digest is of the merged meaning: order of keys and comments do not count, order of rules does") {
  const std::string other =
      kPolicyHead +
      "# why\n[[rule]]\nwhy = \"w\"\nlevel = \"red\"\nid = \"priv.setuid-new\"\n"
      "[rule.match.file]\nmode_gain = \"setuid\"\nchange = [\"created\", \"modified\"]\n";
  const auto first = read({kRule});
  CHECK(
      first->canonical ==
      R"({"rule":[{"id":"priv.setuid-new","level":"red","match":{"file":{"change":["created","modified"],"mode_gain":"setuid"}},"why":"w"}],"schema":"rehearse.policy/1"})");
  CHECK(first->digest == "sha256:" + hex(sha256(first->canonical)));
  CHECK(read({other})->digest == first->digest);
  CHECK(read({kRule, kPolicyHead})->digest == first->digest);
  const std::string second =
      kPolicyHead + "[[rule]]\nid = \"a.b\"\nlevel = \"red\"\nwhy = \"w\"\n[rule.match.net]\n";
  CHECK(read({kRule, second})->digest != read({second, kRule})->digest);
  CHECK(read({kRule, kRule}).error().what.find("is already defined at p1.toml:3") != std::string::npos);
}

TEST_CASE("What is built in is a policy, each rule of it with a remedy or green") {
  const std::vector<std::string> builtin = {"builtin"};
  const auto policy = load_policy(builtin);
  if (!policy) FAIL(policy.error().what << "; " << policy.error().fix);
  CHECK(policy->rules.size() > 60);
  for (const Rule& rule : policy->rules) {
    INFO(rule.id);
    CHECK(rule.why.size() > 10);
    CHECK((rule.level == Level::kGreen || !rule.fix.empty()));
    for (const std::string& ref : rule.refs) CHECK(ref.starts_with('T'));
  }
  const std::vector<std::string> missing = {"/nonexistent/policy.toml"};
  CHECK(load_policy(missing).error().exit == ExitCode::kConfig);
}
