#include "report/read_only_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/escape.h"
#include "base/units.h"
#include "report/text_width.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kLineLimit = 600;
constexpr std::size_t kMostShown = 5;

std::string line_of(const WriteAttemptRecord& attempt) {
  std::string line = attempt.what == "file" ? attempt.detail : attempt.what + ": " + attempt.detail;
  if (!attempt.error.empty()) line += " = " + attempt.error;
  if (!attempt.path.empty()) line += " on " + attempt.path;
  if (!attempt.exe.empty()) line += " by " + attempt.exe;
  return line;
}

}  // namespace

std::vector<std::string> write_attempt_lines(const ReadOnlyRecord& record) {
  std::vector<std::string> lines;
  for (const WriteAttemptRecord& attempt : record.attempts) lines.push_back(line_of(attempt));
  return lines;
}

std::string read_only_text(const ReadOnlyRecord& record, std::size_t columns) {
  std::string text;
  const auto say = [&](const std::string& line, std::size_t indent) { text += wrap(line, indent, columns); };
  if (record.proved() && record.scratch != 0)
    say("It could write nothing outside scratch directories, and did not try: that nothing else changed is "
        "enforced, not observed.",
        2);
  else if (record.proved())
    say("It could write nothing, and did not try: that nothing changed is enforced, not observed.", 2);
  else if (record.enforced && !record.watched)
    say("It could write nothing. Whether it tried is not known: nothing was recorded, and only the file "
        "systems refused.",
        2);
  else if (record.enforced)
    say("It could write nothing, tried to, and was interrupted:", 2);
  else
    say("It was to write nothing, and was ended when it tried to. Then it was rehearsed again in full: all "
        "else here is about that.",
        2);
  std::size_t shown = 0;
  for (const std::string& line : write_attempt_lines(record)) {
    if (shown++ == kMostShown) break;
    say(escape_text(line, kLineLimit), 4);
  }
  if (record.attempts_total > kMostShown)
    say(fmt::format("and {} more before it had ended", record.attempts_total - kMostShown), 4);
  if (record.scratch != 0)
    say(fmt::format("{} new object{} in scratch directories, {}, thrown away", record.scratch,
                    record.scratch == 1 ? "" : "s", format_bytes(record.scratch_bytes)),
        2);
  for (std::size_t i = 0; i < std::min(record.scratch_left.size(), kMostShown); ++i) {
    const ScratchRecord& left = record.scratch_left[i];
    const std::string what = left.type == "file" ? format_bytes(left.size) : left.type;
    say(escape_text(left.path, kLineLimit) + "  " + escape_text(what, kLineLimit), 4);
  }
  if (record.scratch > kMostShown && !record.scratch_left.empty())
    say(fmt::format("and {} more", record.scratch - kMostShown), 4);
  return text;
}

}  // namespace rehearse::report
