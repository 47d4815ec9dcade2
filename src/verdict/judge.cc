#include "verdict/judge.h"

#include <algorithm>
#include <csignal>
#include <cstring>

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
    out.push_back(finding("core.command-failed", Level::kYellow,
                          {{"command", "exit " + std::to_string(*facts.exit)}},
                          "The command reported failure. It would most likely fail on the host as well.",
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
    out.push_back(
        finding("core.masked-write", Level::kYellow, {{"count", std::to_string(facts.masked)}},
                "The command wrote over files whose content was hidden from it. They are never promoted.",
                "Exclude these files from the action."));
  }
}

}  // namespace

Verdict judge(const Facts& facts) {
  Verdict verdict;
  judge_command(facts, verdict.findings);
  judge_changes(facts, verdict.findings);
  verdict.findings.insert(verdict.findings.end(), facts.found.begin(), facts.found.end());
  if (!facts.unobserved.empty()) {
    verdict.findings.push_back(
        finding("core.unobserved", Level::kInconclusive, lines("evidence", facts.unobserved),
                "A part of what the command did could not be read.", "Remove the cause and rehearse again."));
  }
  std::vector<Evidence> caps;
  for (const Gap& gap : facts.gaps) {
    if (gap.cap == Level::kInconclusive || gap.cap == Level::kRed)
      caps.push_back({"gap", gap.what + ": " + gap.why});
  }
  if (!caps.empty()) {
    verdict.findings.push_back(finding("core.fidelity", Level::kInconclusive, std::move(caps),
                                       "The rehearsal was not like production where it matters.",
                                       "See what could not be observed."));
  }
  verdict.findings.push_back(finding("core.not-judged", Level::kYellow, {},
                                     "There is no policy yet: nobody has said which effects are acceptable.",
                                     "Read the report and decide."));
  verdict.level = Level::kGreen;
  for (const Finding& found : verdict.findings) verdict.level = std::max(verdict.level, found.level);
  verdict.fidelity_score = fidelity_score(facts.gaps);
  if (!facts.unobserved.empty()) verdict.fidelity_score *= 0.5;
  return verdict;
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
