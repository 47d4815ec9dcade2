// Rules against facts: three-valued logic, envelopes, exceptions, levels and their order.
#include "verdict/evaluate.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "verdict/judge.h"
#include "verdict/policy_file.h"

using namespace rehearse;
using namespace rehearse::verdict;

namespace {

constexpr std::int64_t kNow = 1'795'000'000'000'000'000;  // November 2026

struct File {
  std::string path;
  std::uint64_t words = bit_of(Subject::kFile, "change", "created") | bit_of(Subject::kFile, "type", "file");
  std::string from = {};
  bool below = false;
};

std::uint64_t word(std::string_view key, std::string_view one = {}) {
  return bit_of(Subject::kFile, key, one);
}

/// Facts of a run that is wholly known and did nothing but `files`.
PolicyFacts facts_of(std::vector<File> files) {
  PolicyFacts facts;
  facts.created_ns = kNow;
  facts.changes = [files](const StreamVisit& visit) -> Result<void> {
    for (const File& file : files) {
      StreamFact fact;
      fact.path = file.path;
      fact.from = file.from;
      fact.words = file.words;
      fact.stands_for_below = file.below;
      if (!visit(fact)) break;
    }
    return {};
  };
  return facts;
}

Policy policy_of(const std::string& rules) {
  PolicyMerge merge;
  const auto added = merge.add("schema = \"rehearse.policy/1\"\n" + rules, "p.toml");
  if (!added) FAIL(added.error().what << "; " << added.error().fix);
  auto policy = merge.finish();
  if (!policy) FAIL(policy.error().what);
  return std::move(*policy);
}

std::string rule(const std::string& id, const std::string& level, const std::string& match,
                 const std::string& more = "") {
  return "[[rule]]\nid = \"" + id + "\"\nlevel = \"" + level + "\"\nwhy = \"because\"\n" + more + match +
         "\n";
}

const std::string kGreen = rule("ok.all", "green",
                                "[rule.match.only]\nfiles = [\"/**\"]\nnet = [\"*\"]\nunits = "
                                "[\"*:*\"]\nprivileged = [\"*\"]\naccounts = [\"*\"]\npackages = [\"*\"]");

Truth truth_of(const std::string& match, const PolicyFacts& facts) {
  const Policy policy = policy_of(rule("a.b", "red", match));
  return evaluate(policy, facts).rules[0].truth;
}

Verdict verdict_of(const std::string& rules, const PolicyFacts& facts, std::vector<Gap> gaps = {}) {
  const Policy policy = policy_of(rules);
  return judge({}, gaps, policy, facts).verdict;
}

bool has(const Verdict& verdict, const std::string& id) {
  return std::ranges::any_of(verdict.findings, [&](const Finding& f) { return f.rule == id; });
}

void add_command(PolicyFacts& facts, Value exit) {
  std::vector<Value> values(keys_of(Subject::kCommand).keys.size());
  values[0] = std::move(exit);
  facts.of(Subject::kCommand).rows.push_back({"sh", values});
}

void add_net(PolicyFacts& facts, const std::string& to) {
  std::vector<Value> values(keys_of(Subject::kNet).keys.size());
  values[0] = std::string("denied");
  values[1] = std::string("outside");
  values[3] = std::vector<std::string>{to};
  facts.of(Subject::kNet).rows.push_back({to, values});
}

}  // namespace

TEST_CASE("Keys are and, lists are or, not_ negates") {
  const PolicyFacts facts = facts_of({{"/etc/cron.d/job"}, {"/etc/passwd", word("change", "modified")}});
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/cron.d/**\"", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/cron.d/**\"\nchange = \"modified\"", facts) ==
        Truth::kFalse);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/cron.d/**\"\nchange = [\"modified\", \"created\"]",
                 facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/**\"\nnot_path = \"/etc/cron.d/**\"\nchange = \"created\"",
                 facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.file]\nnot_change = [\"created\", \"modified\"]", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.file]\ncaps_gain = true", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.file]\ncaps_gain = false", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/**\"\nat_least = 2", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/**\"\nat_least = 3", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.file]\npath = \"/usr/**\"\nat_most = 0", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/**\"\nat_most = 0", facts) == Truth::kFalse);
  // Several tables must all hold.
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/**\"\n[rule.match.net]\nscope = \"outside\"", facts) ==
        Truth::kFalse);
}

TEST_CASE("A renamed object has two paths: either may match, both have to be let off") {
  const auto renamed = word("change", "renamed") | word("type", "file");
  const PolicyFacts facts = facts_of({{"/etc/shadow", renamed, "/tmp/x"}});
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/shadow\"", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/tmp/*\"", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\nchange = \"renamed\"\nnot_path = \"/tmp/**\"", facts) == Truth::kTrue);
  const PolicyFacts directory = facts_of({{"/etc/cron.d", renamed, "/tmp/x", true}});
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/cron.d/**\"", directory) == Truth::kTrue);
  const PolicyFacts inside = facts_of({{"/tmp/y", renamed, "/tmp/x", true}});
  CHECK(truth_of("[rule.match.file]\nchange = \"renamed\"\nnot_path = \"/tmp/**\"", inside) == Truth::kFalse);
}

TEST_CASE("What is not known makes a rule unknown, unless it is decided even so") {
  PolicyFacts facts = facts_of({{"/etc/x"}});
  facts.of(Subject::kFile).unknown = "a directory could not be read";
  facts.of(Subject::kNet).unknown = "not recorded";
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/x\"", facts) == Truth::kTrue);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/y\"", facts) == Truth::kUnknown);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/x\"\nat_most = 0", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.file]\npath = \"/etc/y\"\nat_most = 0", facts) == Truth::kUnknown);
  CHECK(truth_of("[rule.match.net]\n", facts) == Truth::kUnknown);
  CHECK(truth_of("[rule.match.net]\n[rule.match.command]\nexit = 1", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.only]\nfiles = [\"/usr/**\"]", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.only]\nfiles = [\"/etc/**\"]", facts) == Truth::kUnknown);

  PolicyFacts known = facts_of({});
  add_command(known, Value());
  CHECK(truth_of("[rule.match.command]\nexit = 0", known) == Truth::kUnknown);
  CHECK(truth_of("[rule.match.command]\nnot_exit = 0", known) == Truth::kUnknown);
  CHECK(truth_of("[rule.match.command]\nexit = 0\nat_least = 2", known) == Truth::kFalse);
}

TEST_CASE("Numbers: ranges of every spelling") {
  const auto exit_is = [](std::int64_t value, const std::string& text) {
    PolicyFacts facts = facts_of({});
    add_command(facts, value);
    return truth_of("[rule.match.command]\nexit = " + text, facts) == Truth::kTrue;
  };
  CHECK(exit_is(0, "0"));
  CHECK(!exit_is(1, "0"));
  CHECK(exit_is(7, "[1, \"5..9\"]"));
  CHECK(exit_is(3, "\">2\""));
  CHECK(!exit_is(2, "\">2\""));
  CHECK(exit_is(2, "\">= 2\""));
  CHECK(exit_is(-1, "\"<0\""));
  CHECK(exit_is(2, "\"<=2\""));
}

TEST_CASE("An envelope holds only if nothing lies outside") {
  PolicyFacts facts =
      facts_of({{"/etc/nginx/nginx.conf"}, {"/x", word("noise") | word("change", "identical")}});
  CHECK(truth_of("[rule.match.only]\nfiles = [\"/etc/nginx/**\"]", facts) ==
        Truth::kTrue);  // noise is no effect
  CHECK(truth_of("[rule.match.only]\nfiles = [\"/etc/apache2/**\"]", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.only]", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.only]", facts_of({})) == Truth::kTrue);
  add_net(facts, "example.com:443");
  CHECK(truth_of("[rule.match.only]\nfiles = [\"/**\"]", facts) == Truth::kFalse);
  CHECK(truth_of("[rule.match.only]\nfiles = [\"/**\"]\nnet = [\"example.com:*\"]", facts) == Truth::kTrue);
}

TEST_CASE("Red before inconclusive before yellow before green; nothing green is yellow") {
  const PolicyFacts facts = facts_of({{"/etc/x"}});
  const std::string red = rule("a.red", "red", "[rule.match.file]\npath = \"/etc/x\"");
  const std::string yellow = rule("a.yellow", "yellow", "[rule.match.file]\npath = \"/etc/x\"");
  CHECK(verdict_of(kGreen, facts).level == Level::kGreen);
  CHECK(verdict_of(kGreen + yellow, facts).level == Level::kYellow);
  CHECK(verdict_of(kGreen + yellow + red, facts).level == Level::kRed);
  const Verdict nothing = verdict_of("", facts);
  CHECK(nothing.level == Level::kYellow);
  CHECK(has(nothing, "policy.nothing-green"));
  const std::vector<Gap> inconclusive = {{"a mount", "hidden", Level::kInconclusive}};
  const std::vector<Gap> capped = {{"a mount", "hidden", Level::kYellow}, {"clock", "", Level::kGreen}};
  CHECK(verdict_of(kGreen + yellow, facts, inconclusive).level == Level::kInconclusive);
  CHECK(verdict_of(kGreen + red, facts, inconclusive).level == Level::kRed);
  CHECK(verdict_of(kGreen, facts, capped).level == Level::kYellow);
  CHECK(has(verdict_of(kGreen, facts, capped), "core.fidelity"));
}

TEST_CASE("Advice and rules on trial are reported and do not decide") {
  const PolicyFacts facts = facts_of({{"/etc/x"}});
  const std::string match = "[rule.match.file]\npath = \"/etc/x\"";
  const Verdict verdict = verdict_of(kGreen + rule("a.trial", "red", match, "mode = \"shadow\"\n") +
                                         rule("a.advice", "red", match, "enforce = \"advisory\"\n"),
                                     facts);
  CHECK(verdict.level == Level::kGreen);
  REQUIRE(verdict.findings.size() == 3);
  CHECK(verdict.findings[0].rule == "ok.all");
  CHECK(verdict.findings[1].shadow);
  CHECK(!verdict.findings[2].decides());
  // A green rule on trial accepts nothing.
  const std::string trial = kGreen.substr(0, kGreen.find("[rule.match")) + "mode = \"shadow\"\n" +
                            kGreen.substr(kGreen.find("[rule.match"));
  CHECK(verdict_of(trial, facts).level == Level::kYellow);
}

TEST_CASE("An unknown rule is yellow, a rule that fails is red, and neither becomes green") {
  PolicyFacts facts = facts_of({});
  facts.of(Subject::kNet).unknown = "not recorded";
  const std::string net = rule("a.net", "red", "[rule.match.net]\nscope = \"outside\"");
  const std::string green = rule("ok.files", "green", "[rule.match.only]\nfiles = [\"/**\"]");
  const Verdict unknown = verdict_of(green + net, facts);
  CHECK(unknown.level == Level::kYellow);
  CHECK(has(unknown, "policy.unknown"));
  CHECK(verdict_of(green, facts).level == Level::kYellow);  // the envelope asks for the network too

  PolicyFacts failing = facts_of({});
  failing.changes = [](const StreamVisit&) -> Result<void> { return fail("the manifest is damaged"); };
  const Verdict failed = verdict_of(kGreen, failing);
  CHECK(failed.level == Level::kRed);
  CHECK(has(failed, "policy.error"));
}

TEST_CASE("An exception takes out what it names until it expires, and is said") {
  const PolicyFacts facts = facts_of({{"/usr/bin/one"}, {"/usr/bin/two"}});
  const std::string red = rule("a.red", "red", "[rule.match.file]\npath = \"/usr/bin/*\"");
  const auto with = [&](const std::string& path, const std::string& expires, const std::string& more = "") {
    return kGreen + red + "[[exception]]\nrule = \"a.red\"\npath = \"" + path +
           "\"\nowner = \"alice\"\nreason = \"r\"\nexpires = " + expires + "\n" + more;
  };
  const Verdict one = verdict_of(with("/usr/bin/one", "2027-03-01"), facts);
  CHECK(one.level == Level::kRed);
  REQUIRE(one.exceptions.size() == 1);
  CHECK(one.exceptions[0].count == 1);
  CHECK(one.exceptions[0].refused.empty());
  CHECK(one.findings[0].count == 1);
  CHECK(verdict_of(with("/usr/bin/*", "2027-03-01"), facts).level == Level::kGreen);

  const Verdict expired = verdict_of(with("/usr/bin/*", "2026-01-01"), facts);
  CHECK(expired.level == Level::kRed);
  CHECK(expired.exceptions.at(0).refused == "it expired on 2026-01-01");
  CHECK(std::ranges::any_of(expired.findings[0].evidence,
                            [](const Evidence& e) { return e.kind == "exception"; }));

  PolicyFacts back = facts;
  back.clock_trusted = false;
  CHECK(verdict_of(with("/usr/bin/*", "2027-03-01"), back).level == Level::kRed);
  CHECK(verdict_of(with("/usr/bin/*", "2027-03-01", "action = \"upgrade\"\n"), facts).level == Level::kRed);
  PolicyFacts named = facts;
  named.action = "upgrade";
  CHECK(verdict_of(with("/usr/bin/*", "2027-03-01", "action = \"upgrade\"\n"), named).level == Level::kGreen);
}

TEST_CASE("One latent change among very many heads the findings") {
  std::vector<File> files;
  for (int i = 0; i < 200'000; ++i)
    files.push_back({"/srv/data/file" + std::to_string(i), word("change", "deleted")});
  files.insert(files.begin() + 100'000, {"/etc/cron.d/job"});
  const Verdict verdict =
      verdict_of(rule("z.mass", "red", "[rule.match.file]\nchange = \"deleted\"\nat_least = 1000") +
                     rule("latent.cron", "red", "[rule.match.file]\npath = \"/etc/cron.d/**\""),
                 facts_of(files));
  CHECK(verdict.findings[0].rule == "latent.cron");
  CHECK(verdict.findings[0].evidence.at(0).text == "/etc/cron.d/job");
  CHECK(verdict.findings[1].count == 200'000);
  CHECK(verdict.findings[1].evidence.size() == kMostEvidence);
}

TEST_CASE("Evidence stays bounded with very many rules") {
  std::string rules;
  for (int i = 0; i < 2000; ++i)
    rules += rule("a.r" + std::to_string(i), "yellow", "[rule.match.file]\nchange = \"created\"");
  std::vector<File> files;
  for (int i = 0; i < 300; ++i) files.push_back({"/" + std::string(200, 'x') + std::to_string(i)});
  std::size_t bytes = 0;
  const Policy policy = policy_of(rules);
  for (const Finding& finding : judge({}, {}, policy, facts_of(files)).verdict.findings) {
    for (const Evidence& evidence : finding.evidence) bytes += evidence.text.size();
    if (finding.rule.starts_with("a.")) CHECK(finding.evidence.size() >= kLeastEvidence);
  }
  CHECK(bytes < kEvidenceBytes + 2000 * kLeastEvidence * 210);
}
