// rehearse explain RUN [RULE]: what each rule of the policy makes of a run, and the facts that it saw.

#include <unistd.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "cli/command_line.h"
#include "cli/kept_run.h"
#include "cli/verb_support.h"
#include "report/explain.h"
#include "report/writer.h"
#include "verdict/policy_set.h"

namespace rehearse::cli {
namespace {

Result<void> check_rule(const verdict::Policy& policy, const std::string& rule) {
  if (rule.empty() || std::ranges::any_of(policy.rules, [&](const auto& one) { return one.id == rule; }))
    return {};
  std::vector<std::string_view> known;
  for (const verdict::Rule& one : policy.rules) known.push_back(one.id);
  const std::string_view near = nearest_word(rule, known);
  return fail("there is no rule \"" + rule.substr(0, 80) + "\" in this policy", ExitCode::kUsage,
              near.empty() ? "`rehearse policy check --rules` lists them"
                           : "did you mean \"" + std::string(near) + "\"?");
}

}  // namespace

Result<int> explain_verb(Globals& globals, Arguments arguments) {
  std::string run;
  std::vector<std::string> sources;
  report::ExplainOptions options;
  CommandLine line("Print what each rule makes of a run, and what it saw", "explain", globals);
  line.option("RUN", run, "Run id, the unique start of one, `last`, or the directory of a recorded bundle")
      .required();
  line.option("RULE", options.rule, "Only this rule, with everything about it");
  line.flag("--all", options.all, "Also rules that do not hold");
  line.option("--policy", sources, "This file or directory in place of the host's policy")
      .type_name("PATH|builtin")
      .one_each();
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;

  RH_TRY(const KeptRun kept, open_kept_run(globals, run));
  RH_TRY(const verdict::Policy policy, verdict::load_policy(sources, verdict::Trust::kAnybody));
  RH_CHECK(check_rule(policy, options.rule));
  const verdict::Judgement judgement = kept.judge(policy);
  report::Writer out(STDOUT_FILENO);
  out.put(globals.json ? report::explain_json(kept.record, policy, judgement, options)
                       : report::explain_text(kept.record, policy, judgement, options,
                                              report::Style(use_color(globals, STDOUT_FILENO))));
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace rehearse::cli
