#include "report/contained_text.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace rehearse::report {
namespace {

/// Attempts whose effect on a host is there for others than the caller, and stays when it has ended.
constexpr auto kEffects = std::to_array<std::string_view>(
    {"filesystem", "hostname", "ipc", "kernel", "mount", "network configuration", "sysctl"});

}  // namespace

std::vector<std::string> contained_lines(const RunRecord& record) {
  std::vector<std::string> lines;
  for (const AttemptRecord& attempt : record.attempts) {
    if (attempt.result == "contained" && std::ranges::find(kEffects, attempt.what) != kEffects.end())
      lines.push_back(attempt.what + ": " + attempt.detail);
  }
  return lines;
}

}  // namespace rehearse::report
