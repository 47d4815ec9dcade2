// The verdict of a run: what its policy makes of it, what is wrong with it whatever the policy, and what
// could not be observed. Pure but for the streams of facts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "verdict/evaluate.h"
#include "verdict/facts.h"
#include "verdict/finding.h"
#include "verdict/policy.h"

namespace rehearse::verdict {

/// What is wrong with a run whatever the policy: plain facts. Strings are raw bytes.
struct Facts {
  std::optional<int> exit;
  std::optional<int> signal;
  bool timed_out = false;
  std::string start_error;              ///< why the command never started
  std::vector<std::string> limits_hit;  ///< one line each: "write 1.0 GiB", "memory 2.0 GiB"
  std::vector<std::string> hindered;    ///< what the rehearsal refused, which a host may not: lines
  std::vector<std::string> unseen;  ///< gaps that cap the verdict: done otherwise than on a host, not refused
  std::vector<std::string> leftover;  ///< processes that outlived the command: "4242 nginx: worker"
  bool output_cut = false;
  std::vector<std::string> write_attempts;    ///< of an action that was not to write
  std::uint64_t base_moved = 0;               ///< records whose host object changed after the run began
  std::vector<std::string> base_moved_paths;  ///< the first of them
  std::vector<std::string> reads_moved;       ///< paths the action read that the host changed meanwhile
  std::vector<std::string> mock_trouble;      ///< requests that a mock or recording had no answer for
  std::uint64_t masked = 0;                   ///< records over masked files
  std::vector<std::string> unobserved;        ///< evidence that could not be read: never green
  std::vector<Finding> found;  ///< failures and expectations that were not met (failure.h, expectation.h)
};

/// Rules: core.command-failed, core.command-killed, core.not-started, core.limit-hit, core.timed-out,
/// core.leftover-processes, core.output-cut, core.not-read-only,
/// core.base-moved, core.read-moved, core.mock-unmatched,
/// core.masked-write, core.unobserved. They are kept with the run, and go into every judgement of it.
std::vector<Finding> core_findings(const Facts& facts);

struct Judgement {
  Verdict verdict;
  Evaluation evaluation;  ///< rule by rule, for who asks why
};

/// Red > inconclusive > yellow > green. The level is the worst of: the rules that hold and decide, `core`,
/// the caps of `gaps`; without any of these it is green if a green rule holds, else yellow. Adds to the
/// rules' findings: policy.unknown (rules that ask for facts that are not known), policy.error (rules that
/// could not be evaluated: red), policy.nothing-green, core.fidelity. Worst first; of equals `latent.` first;
/// what does not decide last.
Judgement judge(std::vector<Finding> core, std::span<const Gap> gaps, const Policy& policy,
                const PolicyFacts& facts);

/// 1.0 with no gap; each gap multiplies by 0.98 (cap green), 0.9 (cap yellow), 0.5 (cap inconclusive). For
/// display.
double fidelity_score(std::span<const Gap> gaps);

enum class FailOn { kRed, kYellow, kNever };
Result<FailOn> parse_fail_on(std::string_view text);
/// green 0, yellow 10, red 11, inconclusive 12; `fail_on` turns yellow, or red and yellow, to 0, never
/// inconclusive.
ExitCode exit_code(Level level, FailOn fail_on);

}  // namespace rehearse::verdict
