// The sentences about a run that every report has; escaped.
#pragma once

#include <string>
#include <vector>

#include "report/run_record.h"

namespace rehearse::report {

/// One sentence for the verdict: what it means, and the first reason.
std::string verdict_sentence(const RunRecord& record);
/// "exit 0", "killed by SIGKILL", "timed out", "never started".
std::string ending_text(const Command& command);
/// The words, each as it may be pasted into a shell; what is left out beyond `limit` bytes is counted.
std::string words_text(const std::vector<std::string>& argv, std::size_t limit);

}  // namespace rehearse::report
