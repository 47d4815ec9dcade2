// Line differences: the hunks turn the old text into the new one, and back.
#include "fuzz.h"
#include "report/text_diff.h"

using namespace rehearse;

namespace {

/// Lines with their newlines, as patch(1) sees them.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.emplace_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// Applies as patch(1) does: by line numbers, with everything that is taken away or kept compared first.
std::string patched(std::string_view before, const std::vector<report::Hunk>& hunks) {
  const auto lines = lines_of(before);
  std::string after;
  std::size_t next = 0;
  std::size_t produced = 0;
  for (const report::Hunk& hunk : hunks) {
    const std::size_t start = hunk.before_count == 0 ? hunk.before_start : hunk.before_start - 1;
    FUZZ_REQUIRE(start >= next && start <= lines.size());
    while (next < start) {
      after += lines[next++];
      ++produced;
    }
    FUZZ_REQUIRE(produced == (hunk.after_count == 0 ? hunk.after_start : hunk.after_start - 1));
    std::size_t taken = 0;
    std::size_t given = 0;
    bool changes = false;
    for (const report::DiffLine& line : hunk.lines) {
      std::string text(line.text);
      if (!line.no_newline) text += '\n';
      changes = changes || line.sign != ' ';
      if (line.sign != '+') {
        FUZZ_REQUIRE(next < lines.size() && lines[next] == text);
        ++next;
        ++taken;
      }
      if (line.sign != '-') {
        after += text;
        ++given;
      }
    }
    FUZZ_REQUIRE(changes && taken == hunk.before_count && given == hunk.after_count);
    produced += given;
  }
  while (next < lines.size()) after += lines[next++];
  return after;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::size_t context = in.below(5);
  std::string before;
  std::string after;
  if (in.flag()) {
    // Texts of few different lines: that is where a difference goes wrong.
    while (!in.empty()) {
      const unsigned step = in.byte();
      const std::string line{static_cast<char>('a' + step % 5), '\n'};
      if ((step & 64U) == 0) before += line;
      if ((step & 128U) == 0) after += line;
    }
  } else {
    const std::string_view rest = in.rest();
    const std::size_t middle = std::min(rest.find('\0'), rest.size());
    before = rest.substr(0, middle);
    after = rest.substr(std::min(middle + 1, rest.size()));
  }
  const auto hunks = report::diff_lines(before, after, context);
  FUZZ_REQUIRE(hunks.empty() == (before == after));
  FUZZ_REQUIRE(patched(before, hunks) == after);
  FUZZ_REQUIRE(patched(after, report::diff_lines(after, before, context)) == before);
  for (const report::Hunk& hunk : hunks) FUZZ_REQUIRE(fuzz::is_harmless(report::hunk_header(hunk)));
  return 0;
}
