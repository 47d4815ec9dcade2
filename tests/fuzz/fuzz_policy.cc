// Policy files: any text is a policy or one error that names the place; what is taken can be evaluated, and
// says the same of the same facts.
#include "fuzz.h"
#include "verdict/judge.h"
#include "verdict/policy_file.h"

using namespace rehearse;
using namespace rehearse::verdict;

namespace {

/// One fact of each subject, and some changes.
const PolicyFacts& facts() {
  static const PolicyFacts kFacts = [] {
    PolicyFacts made;
    made.created_ns = 1'795'000'000'000'000'000;
    for (std::size_t i = 0; i < kSubjects; ++i) {
      const auto subject = static_cast<Subject>(i);
      if (is_streamed(subject)) continue;
      Row row{"row", {}};
      for (const Key& key : keys_of(subject).keys) {
        switch (key.kind) {
          case KeyKind::kPath:
          case KeyKind::kText:
          case KeyKind::kWord:
            row.values.emplace_back(std::string("/etc/x"));
            break;
          case KeyKind::kBool:
            row.values.emplace_back(true);
            break;
          default:
            row.values.emplace_back(std::int64_t{1});
        }
      }
      made.of(subject).rows.push_back(row);
    }
    made.changes = [](const StreamVisit& visit) -> Result<void> {
      for (const char* path : {"/", "/etc/cron.d/job", "/etc/passwd", "/home/a/.ssh/authorized_keys"}) {
        StreamFact fact;
        fact.path = path;
        fact.from = path[1] == 'h' ? "/tmp/x" : "";
        fact.stands_for_below = path[1] == 'h';
        fact.target = "/etc/x";
        fact.words = bit_of(Subject::kFile, "change", "created") | bit_of(Subject::kFile, "type", "file");
        if (!visit(fact)) break;
      }
      return {};
    };
    made.reads = made.changes;
    return made;
  }();
  return kFacts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  PolicyMerge merge;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto added = merge.add(text, "p.toml"); !added) {
    FUZZ_REQUIRE(added.error().exit == ExitCode::kConfig && !added.error().fix.empty());
    FUZZ_REQUIRE(added.error().what.starts_with("p.toml:"));
    return 0;
  }
  const auto policy = merge.finish();
  if (!policy) {
    FUZZ_REQUIRE(policy.error().exit == ExitCode::kConfig && policy.error().what.starts_with("p.toml:"));
    return 0;
  }
  FUZZ_REQUIRE(policy->digest.size() == 71);
  const Judgement one = judge({}, {}, *policy, facts());
  const Judgement two = judge({}, {}, *policy, facts());
  FUZZ_REQUIRE(one.verdict.level == two.verdict.level &&
               one.verdict.findings.size() == two.verdict.findings.size());
  bool accepted = false;
  for (std::size_t i = 0; i < policy->rules.size(); ++i) {
    const Rule& rule = policy->rules[i];
    const bool holds = one.evaluation.rules[i].truth == Truth::kTrue;
    accepted = accepted || (holds && rule.level == Level::kGreen && rule.decides());
    if (holds && rule.decides()) FUZZ_REQUIRE(one.verdict.level >= rule.level);
  }
  FUZZ_REQUIRE(one.verdict.level != Level::kGreen || accepted);
  return 0;
}
