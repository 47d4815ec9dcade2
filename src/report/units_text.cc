#include "report/units_text.h"

#include <fmt/format.h>

#include <set>

#include "base/escape.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kNameLimit = 256;
constexpr std::size_t kDetailLimit = 512;

std::string request_line(const UnitRecord& asked, const Style& style) {
  std::string answered = fmt::format("{:<12}", escape_text(asked.answered, 16));
  if (asked.answered == "refused") answered = style.yellow(answered);
  std::string what = escape_text(asked.request, 64);
  if (!asked.unit.empty()) what += ' ' + escape_text(asked.unit, kNameLimit);
  std::string line = fmt::format("  {} {}", answered, what);
  if (asked.count > 1) line += fmt::format(" ×{}", asked.count);
  line += fmt::format("  [{}]\n", asked.process);
  if (!asked.detail.empty()) line += "      " + escape_text(asked.detail, kDetailLimit) + '\n';
  if (!asked.also.empty()) {
    std::string also;
    for (const std::string& one : asked.also) also += (also.empty() ? "" : ", ") + one;
    line += "      also: " + escape_text(also, kDetailLimit) + '\n';
  }
  return line;
}

}  // namespace

std::uint64_t count_unit_changes(const RunRecord& record) {
  std::uint64_t count = 0;
  for (const UnitRecord& asked : record.units) {
    if (asked.changes()) count += asked.count;
  }
  return count;
}

std::string units_line(const RunRecord& record) {
  const std::uint64_t count = count_unit_changes(record);
  if (count == 0) return "";
  return fmt::format("{} service request{}", count, count == 1 ? "" : "s");
}

std::string units_text(const RunRecord& record, const Style& style, std::size_t most) {
  std::string text;
  std::string questions;
  std::size_t listed = 0;
  std::size_t more = 0;
  std::size_t more_questions = 0;
  std::set<std::string> asked_about;
  for (const UnitRecord& asked : record.units) {
    if (asked.request == "query") {
      if (!asked_about.insert(asked.unit).second) continue;
      if (questions.size() < kDetailLimit)
        questions += (questions.empty() ? "" : ", ") +
                     (asked.unit.empty() ? "the manager" : escape_text(asked.unit, kNameLimit));
      else
        ++more_questions;
    } else if (listed++ < most) {
      text += request_line(asked, style);
    } else {
      ++more;
    }
  }
  if (more != 0) text += fmt::format("  and {} more\n", more);
  if (more_questions != 0) questions += fmt::format(", {} more", more_questions);
  if (!questions.empty()) text += "  asked about: " + questions + '\n';
  return text;
}

}  // namespace rehearse::report
