// Line differences of two small texts, as `diff -u` has them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::report {

struct DiffLine {
  char sign = ' ';          ///< ' ', '-' or '+'
  std::string_view text;    ///< without its newline
  bool no_newline = false;  ///< the last line of its file, which does not end in one
};

struct Hunk {
  std::size_t before_start =
      0;  ///< 1-based, as in "@@ -before_start,before_count"; 0 when the count is 0 at the top
  std::size_t before_count = 0;
  std::size_t after_start = 0;
  std::size_t after_count = 0;
  std::vector<DiffLine> lines;
};

/// Hunks with `context` lines around each change. The views point into the arguments. Myers' greedy algorithm
/// (1986) with bounded effort: texts with more than about 2,000 differing lines get a correct but longer
/// difference.
std::vector<Hunk> diff_lines(std::string_view before, std::string_view after, std::size_t context = 3);

/// "@@ -1,3 +1,4 @@"
std::string hunk_header(const Hunk& hunk);

/// True if it looks like text a person reads: no NUL byte.
bool is_text(std::string_view data);

}  // namespace rehearse::report
