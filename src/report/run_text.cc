#include "report/run_text.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/escape.h"

namespace rehearse::report {

std::string words_text(const std::vector<std::string>& argv, std::size_t limit) {
  std::string text;
  std::size_t shown = 0;
  for (const std::string& word : argv) {
    if (text.size() > limit) break;
    if (shown++ > 0) text += ' ';
    text += word.size() > limit ? escape_text(word, limit) : shell_quote(word);
  }
  if (shown < argv.size()) text += fmt::format(" …(+{} words)", argv.size() - shown);
  return text;
}

std::string ending_text(const Command& command) {
  if (!command.error.empty()) return "never started";
  if (command.timed_out) return "timed out";
  if (command.signal) {
    const char* name = ::sigabbrev_np(*command.signal);
    return name != nullptr ? std::string("killed by SIG") + name
                           : fmt::format("killed by signal {}", *command.signal);
  }
  return command.exit ? fmt::format("exit {}", *command.exit) : "no exit status";
}

std::string verdict_sentence(const RunRecord& record) {
  const auto& verdict = record.verdict;
  const auto first =
      std::find_if(verdict.findings.begin(), verdict.findings.end(),
                   [&](const verdict::Finding& f) { return f.level == verdict.level && f.decides(); });
  const std::string why = first != verdict.findings.end() ? escape_text(first->why, 300) : std::string();
  switch (verdict.level) {
    case verdict::Level::kGreen:
      return "Every effect is one that policy accepts. " + why;
    case verdict::Level::kYellow:
      return "A person has to decide. " + why;
    case verdict::Level::kInconclusive:
      return "The evidence does not suffice for a verdict. " + why;
    case verdict::Level::kRed:
      return "Blocked. " + why;
  }
  return {};
}

}  // namespace rehearse::report
