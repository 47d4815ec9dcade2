#include "report/attempts_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "base/escape.h"
#include "report/process_list.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kDetailLimit = 1024;
constexpr std::size_t kPointerDigits = 8;  ///< a shorter number is no address

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// The call without the addresses in it: "prlimit64(0, RLIMIT_NOFILE, ..., NULL)".
std::string without_addresses(const std::string& detail) {
  std::string text;
  for (std::size_t i = 0; i < detail.size();) {
    const bool number =
        detail.compare(i, 2, "0x") == 0 && (i == 0 || detail[i - 1] == ' ' || detail[i - 1] == '(');
    std::size_t end = number ? i + 2 : i + 1;
    while (number && end < detail.size() && is_hex(detail[end])) ++end;
    const bool address = number && end - i - 2 >= kPointerDigits;
    text += address ? "..." : detail.substr(i, end - i);
    i = end;
  }
  return text;
}

struct Group {
  const AttemptRecord* first = nullptr;
  std::string detail;
  std::uint64_t count = 0;
  std::set<std::uint32_t> processes;
};

std::vector<Group> group(const RunRecord& record) {
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::size_t> known;
  std::vector<Group> groups;
  for (const AttemptRecord& attempt : record.attempts) {
    std::string detail = without_addresses(attempt.detail);
    const auto [at, fresh] =
        known.emplace(std::tuple(attempt.what, detail, attempt.result, attempt.error), groups.size());
    if (fresh) groups.push_back({&attempt, std::move(detail), 0, {}});
    groups[at->second].count += attempt.count;
    groups[at->second].processes.insert(attempt.process);
  }
  return groups;
}

}  // namespace

std::string attempts_text(const RunRecord& record, std::size_t most, const std::string& more) {
  std::string text;
  const std::vector<Group> groups = group(record);
  for (std::size_t i = 0; i < groups.size() && i < most; ++i) {
    const AttemptRecord& attempt = *groups[i].first;
    const std::string result =
        escape_text(attempt.result, 64) + (attempt.error.empty() ? "" : ' ' + escape_text(attempt.error, 64));
    text += fmt::format("  {:<18} {:<12} {}{}  {}[{}]\n", result, escape_text(attempt.what, 64),
                        escape_text(groups[i].detail, kDetailLimit),
                        groups[i].count > 1 ? fmt::format(" ×{}", groups[i].count) : "",
                        attempt.capability.empty() ? "" : escape_text(attempt.capability, 64) + "  ",
                        process_list(groups[i].processes));
  }
  if (groups.size() > most) text += fmt::format("  and {} more: {}\n", groups.size() - most, more);
  return text;
}

}  // namespace rehearse::report
