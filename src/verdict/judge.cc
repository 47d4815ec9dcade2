#include "verdict/judge.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iterator>
#include <tuple>

namespace rehearse::verdict {
namespace {

Finding finding(const char* rule, Level level, std::vector<Evidence> evidence, std::string why,
                std::string fix) {
  return Finding{rule, level, "soft", std::move(evidence), std::move(why), std::move(fix)};
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::vector<Evidence> lines(const char* kind, const std::vector<std::string>& texts) {
  std::vector<Evidence> evidence;
  evidence.reserve(texts.size());
  for (const std::string& text : texts) evidence.push_back({kind, text});
  return evidence;
}

void judge_command(const Facts& facts, std::vector<Finding>& out) {
  if (!facts.start_error.empty()) {
    out.push_back(finding("core.not-started", Level::kYellow, {{"command", facts.start_error}},
                          "The command never started, so its effects are unknown.",
                          "Correct the command and rehearse again."));
  } else if (facts.timed_out) {
    out.push_back(finding("core.timed-out", Level::kYellow, {},
                          "The command was ended at its time limit: what it would have done next is unknown.",
                          "Raise --timeout or make the command shorter."));
  } else if (facts.signal) {
    out.push_back(finding("core.command-killed", Level::kYellow,
                          {{"command", "killed by " + signal_name(*facts.signal)}},
                          "The command was ended by a signal: what it would have done next is unknown.",
                          "Read its output, kept in the bundle."));
  } else if (facts.exit.value_or(0) != 0) {
    std::vector<Evidence> evidence = {{"command", "exit " + std::to_string(*facts.exit)}};
    for (const std::string& line : facts.hindered) evidence.push_back({"refused", line});
    for (const std::string& line : facts.unseen) evidence.push_back({"gap", line});
    const char* why =
        !facts.hindered.empty()
            ? "The command reported failure. What the rehearsal refused it may be why: on the host it "
              "may go on, and do more than was seen here."
        : !facts.unseen.empty()
            ? "The command reported failure. What is not here as on the host may be why: there it may "
              "go on, and do more than was seen here."
            : "The command reported failure. It would most likely fail on the host as well.";
    out.push_back(finding("core.command-failed", Level::kYellow, std::move(evidence), why,
                          "Read its output, kept in the bundle."));
  }
  if (!facts.limits_hit.empty()) {
    out.push_back(
        finding("core.limit-hit", Level::kYellow, lines("limit", facts.limits_hit),
                "A limit of the rehearsal was reached: the command may behave otherwise without it.",
                "Raise the limit and rehearse again."));
  }
  if (!facts.leftover.empty()) {
    out.push_back(
        finding("core.leftover-processes", Level::kYellow, lines("process", facts.leftover),
                "Processes outlived the command. They were ended here; on the host they would go on.",
                "Start long-running processes from a unit."));
  }
  if (!facts.write_attempts.empty()) {
    out.push_back(finding("core.not-read-only", Level::kYellow, lines("attempt", facts.write_attempts),
                          "The command was to write nothing, and tried to.",
                          "Look whether it changes what it should, or leave --read-only out."));
    out.back().enforce = "advisory";  // it was rehearsed as any other is
  }
  if (facts.output_cut) {
    out.push_back(finding("core.output-cut", Level::kYellow, {},
                          "The command wrote more output than is kept: the stored copy ends early.",
                          "None needed."));
  }
}

void judge_changes(const Facts& facts, std::vector<Finding>& out) {
  if (facts.base_moved > 0) {
    auto evidence = lines("file", facts.base_moved_paths);
    evidence.push_back({"count", std::to_string(facts.base_moved)});
    out.push_back(
        finding("core.base-moved", Level::kYellow, std::move(evidence),
                "The host changed these files after the rehearsal began: what was compared is not what the "
                "command saw, and they cannot be promoted.",
                "Rehearse again when the host is quiet there."));
  }
  if (!facts.reads_moved.empty()) {
    out.push_back(
        finding("core.read-moved", Level::kYellow, lines("file", facts.reads_moved),
                "The host changed these files while the command read them: it may have seen either.",
                "Rehearse again when the host is quiet there."));
  }
  if (!facts.mock_trouble.empty()) {
    out.push_back(finding("core.mock-unmatched", Level::kYellow, lines("request", facts.mock_trouble),
                          "The command asked mocked or recorded services for what they have no answer for.",
                          "Add it to the mock file, or record the exchange again."));
  }
  if (facts.masked > 0) {
    out.push_back(finding(
        "core.masked-write", Level::kYellow, {{"count", std::to_string(facts.masked)}},
        "The command changed files whose content was hidden from it, or opened them to write to them. "
        "They are never promoted.",
        "Exclude these files from the action."));
  }
}

constexpr const char* kUnobserved = "core.unobserved";

Finding by_policy(const char* rule, Level level, std::vector<Evidence> evidence, std::string why,
                  std::string fix) {
  Finding made = finding(rule, level, std::move(evidence), std::move(why), std::move(fix));
  made.by_policy = true;
  return made;
}

std::string said_of(const Exception& exception) {
  return "of " + exception.owner + " (" + exception.reason + ")";
}

/// Exceptions that had something to take out, and what is to be said of those that may not.
void note_exceptions(const Policy& policy, const PolicyFacts& facts, const RuleResult& result,
                     Verdict& verdict, std::vector<Evidence>& evidence) {
  for (const ExceptionUse& use : result.exceptions) {
    if (use.count == 0) continue;
    const Exception& exception = policy.exceptions[use.exception];
    const std::string refused = refusal(exception, facts);
    verdict.exceptions.push_back(
        {exception.rule, exception.owner, exception.reason, exception.expires, use.count, refused});
    if (!refused.empty())
      evidence.push_back({"exception", said_of(exception) + " does not apply: " + refused});
  }
}

Finding rule_finding(const Rule& rule, const RuleResult& result) {
  Finding made;
  made.rule = rule.id;
  made.level = rule.level;
  made.enforce = to_string(rule.enforce);
  made.why = rule.why;
  made.fix = rule.fix;
  made.refs = rule.refs;
  made.shadow = rule.shadow;
  made.by_policy = true;
  for (std::size_t t = 0; t < result.tables.size(); ++t) {
    if (rule.tables[t].at_least == 0) continue;  // it asked that there be few or none
    const TableResult& table = result.tables[t];
    made.evidence.insert(made.evidence.end(), table.evidence.begin(), table.evidence.end());
    made.count += table.count;
  }
  return made;
}

std::string why_unknown(const RuleResult& result) {
  for (const TableResult& table : result.tables) {
    if (table.truth == Truth::kUnknown) return table.unknown;
  }
  return result.only.unknown;
}

/// What the rules say, and whether one accepts the run.
struct RuleFindings {
  std::vector<Finding> findings;
  std::vector<Evidence> unknown;
  std::vector<Evidence> unknown_green;
  std::vector<Evidence> errors;
  bool accepted = false;
};

RuleFindings collect(const Policy& policy, const PolicyFacts& facts, const Evaluation& evaluation,
                     Verdict& verdict) {
  RuleFindings found;
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    const RuleResult& result = evaluation.rules[i];
    std::vector<Evidence> exceptions;
    note_exceptions(policy, facts, result, verdict, exceptions);
    const auto line = [&](const std::string& why) { return Evidence{"rule", rule.id + ": " + why}; };
    if (!result.error.empty()) {
      if (rule.decides()) found.errors.push_back(line(result.error));
    } else if (result.truth == Truth::kUnknown) {
      if (rule.decides())
        (rule.level == Level::kGreen ? found.unknown_green : found.unknown)
            .push_back(line(why_unknown(result)));
    } else if (result.truth == Truth::kTrue) {
      found.findings.push_back(rule_finding(rule, result));
      auto& evidence = found.findings.back().evidence;
      evidence.insert(evidence.end(), exceptions.begin(), exceptions.end());
      found.accepted = found.accepted || (rule.level == Level::kGreen && rule.decides());
    }
  }
  return found;
}

void bound(std::vector<Evidence>& evidence, std::uint64_t& count) {
  count = evidence.size();
  if (evidence.size() > kMostEvidence) evidence.resize(kMostEvidence);
}

void add_bounded(std::vector<Finding>& out, Finding finding) {
  bound(finding.evidence, finding.count);
  out.push_back(std::move(finding));
}

void judge_fidelity(std::span<const Gap> gaps, std::vector<Finding>& out) {
  Level worst = Level::kGreen;
  for (const Gap& gap : gaps) worst = std::max(worst, std::min(gap.cap, Level::kInconclusive));
  if (worst == Level::kGreen) return;
  std::vector<Evidence> caps;
  for (const Gap& gap : gaps) {
    if (std::min(gap.cap, Level::kInconclusive) == worst) caps.push_back({"gap", gap.what + ": " + gap.why});
  }
  add_bounded(out, by_policy("core.fidelity", worst, std::move(caps),
                             "The rehearsal was not like production where it matters.",
                             "See what could not be observed."));
}

/// Where a finding stands in the list.
std::tuple<bool, int, bool> order_of(const Finding& finding) {
  const bool latent = finding.rule.starts_with("latent.") || finding.rule.starts_with("priv.");
  return {!finding.decides(), -static_cast<int>(finding.level), !latent};
}

Level worst_of(const std::vector<Finding>& findings) {
  Level worst = Level::kGreen;
  for (const Finding& found : findings) {
    if (found.decides()) worst = std::max(worst, found.level);
  }
  return worst;
}

}  // namespace

std::vector<Finding> core_findings(const Facts& facts) {
  std::vector<Finding> findings;
  judge_command(facts, findings);
  judge_changes(facts, findings);
  findings.insert(findings.end(), facts.found.begin(), facts.found.end());
  if (!facts.unobserved.empty()) {
    findings.push_back(finding(kUnobserved, Level::kInconclusive, lines("evidence", facts.unobserved),
                               "A part of what the command did could not be read.",
                               "Remove the cause and rehearse again."));
  }
  return findings;
}

Judgement judge(std::vector<Finding> core, std::span<const Gap> gaps, const Policy& policy,
                const PolicyFacts& facts) {
  Judgement judgement;
  judgement.evaluation = evaluate(policy, facts);
  Verdict& verdict = judgement.verdict;
  const bool unobserved =
      std::ranges::any_of(core, [](const Finding& found) { return found.rule == kUnobserved; });
  RuleFindings rules = collect(policy, facts, judgement.evaluation, verdict);
  verdict.findings = std::move(rules.findings);
  std::ranges::move(core, std::back_inserter(verdict.findings));
  if (!rules.errors.empty())
    add_bounded(verdict.findings,
                by_policy("policy.error", Level::kRed, std::move(rules.errors),
                          "Rules could not be evaluated: what they forbid may have happened.",
                          "Remove the cause, and judge the run again with `rehearse policy explain`."));
  if (!rules.unknown.empty())
    add_bounded(verdict.findings,
                by_policy("policy.unknown", Level::kYellow, std::move(rules.unknown),
                          "Whether these rules hold is not known, since facts are missing.",
                          "Read the report and decide, or rehearse again with everything recorded."));
  if (!rules.accepted && worst_of(verdict.findings) == Level::kGreen)
    add_bounded(verdict.findings,
                by_policy("policy.nothing-green", Level::kYellow, std::move(rules.unknown_green),
                          "No rule of the policy accepts what this run did.",
                          "Read the report and decide; to accept such runs, write a green rule for them."));
  judge_fidelity(gaps, verdict.findings);
  std::ranges::stable_sort(verdict.findings, {}, order_of);
  verdict.level = worst_of(verdict.findings);
  verdict.fidelity_score = fidelity_score(gaps) * (unobserved ? 0.5 : 1.0);
  verdict.policy_digest = policy.digest;
  for (const PolicyFile& file : policy.files) verdict.policy_files.push_back(file.path);
  verdict.clock_trusted = facts.clock_trusted;
  return judgement;
}

double fidelity_score(std::span<const Gap> gaps) {
  double score = 1.0;
  for (const Gap& gap : gaps) {
    score *= gap.cap == Level::kGreen ? 0.98 : gap.cap == Level::kYellow ? 0.9 : 0.5;
  }
  return score;
}

Result<FailOn> parse_fail_on(std::string_view text) {
  if (text == "red") return FailOn::kRed;
  if (text == "yellow") return FailOn::kYellow;
  if (text == "never") return FailOn::kNever;
  return fail("--fail-on takes red, yellow or never, not \"" + std::string(text.substr(0, 80)) + "\"",
              ExitCode::kUsage);
}

ExitCode exit_code(Level level, FailOn fail_on) {
  switch (level) {
    case Level::kGreen:
      return ExitCode::kDone;
    case Level::kYellow:
      return fail_on == FailOn::kYellow ? ExitCode::kYellow : ExitCode::kDone;
    case Level::kRed:
      return fail_on == FailOn::kNever ? ExitCode::kDone : ExitCode::kRed;
    case Level::kInconclusive:
      break;
  }
  return ExitCode::kInconclusive;
}

}  // namespace rehearse::verdict
