// The sentences about a run that every report has; escaped.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report/run_record.h"

namespace rehearse::report {

/// One sentence for the verdict: what it means, and the first reason.
std::string verdict_sentence(const RunRecord& record);
/// "exit 0", "killed by SIGKILL", "timed out", "never started".
std::string ending_text(const Command& command);
/// The words, each as it may be pasted into a shell; what is left out beyond `limit` bytes is counted.
std::string words_text(std::span<const std::string> argv, std::size_t limit);

/// "+3 ~2 −1 files · 1 account · 2 packages · 2 service requests · 3 denied, 1 mocked · nothing
/// irreversible": what it did, in one line. What is none is left out, but for files.
std::string effects_line(const RunRecord& record);

/// There is something to promote, and nothing in its way but the word of a person.
bool awaits_decision(const RunRecord& record);
/// "RUN@DIGEST" with as much of the digest as an approval has to name.
std::string run_at_digest(const RunRecord& record);

/// The file that the kernel executed for the command, with its digest; empty where it is not known.
std::string program_text(const RunRecord& record);
/// Variables that not every action gets, and PATH where it is not the usual one; empty: none.
std::string environment_text(const Action& action, std::size_t limit);

/// What the report rests on: policy, program, roots; name and escaped text each.
std::vector<std::pair<std::string, std::string>> provenance(const RunRecord& record);

}  // namespace rehearse::report
