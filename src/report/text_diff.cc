#include "report/text_diff.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace rehearse::report {
namespace {

constexpr int kMaxDistance = 2000;  // the saved frontiers take about 16 MiB then

struct Line {
  std::string_view text;
  bool no_newline = false;
};

std::vector<Line> split(std::string_view text) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      lines.push_back({text, true});
      break;
    }
    lines.push_back({text.substr(0, end), false});
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// Same number, same line. By sorting: a hash table could be made slow by chosen lines.
void number_lines(const std::vector<Line>& a, const std::vector<Line>& b, std::vector<int>& x,
                  std::vector<int>& y) {
  const auto line = [&](std::size_t i) -> const Line& { return i < a.size() ? a[i] : b[i - a.size()]; };
  const auto less = [&](std::size_t i, std::size_t j) {
    const Line& p = line(i);
    const Line& q = line(j);
    return p.text != q.text ? p.text < q.text : p.no_newline < q.no_newline;
  };
  std::vector<std::size_t> order(a.size() + b.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), less);
  x.resize(a.size());
  y.resize(b.size());
  int number = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && less(order[i - 1], order[i])) ++number;
    (order[i] < a.size() ? x[order[i]] : y[order[i] - a.size()]) = number;
  }
}

/// Marks which lines go and which come, for x[xs, xe) against y[ys, ye) that share neither end.
void mark_changes(const std::vector<int>& x, const std::vector<int>& y, std::size_t xs, std::size_t xe,
                  std::size_t ys, std::size_t ye, std::vector<char>& gone, std::vector<char>& come) {
  const auto n = static_cast<int>(xe - xs);
  const auto m = static_cast<int>(ye - ys);
  const auto at_x = [&](int i) { return x[xs + static_cast<std::size_t>(i)]; };
  const auto at_y = [&](int i) { return y[ys + static_cast<std::size_t>(i)]; };
  const int limit = std::min(n + m, kMaxDistance);
  const auto slot = [middle = limit + 1](int k) {
    const int at = middle + k;
    return static_cast<std::size_t>(at);
  };
  std::vector<int> frontier(static_cast<std::size_t>(2 * limit + 3), 0);
  std::vector<std::vector<int>> saved;  // of each distance d: frontier[-d..d]
  int found = -1;
  for (int d = 0; d <= limit && found < 0; ++d) {
    for (int k = -d; k <= d; k += 2) {
      int i = 0;
      if (k == -d || (k != d && frontier[slot(k - 1)] < frontier[slot(k + 1)])) {
        i = frontier[slot(k + 1)];
      } else {
        i = frontier[slot(k - 1)] + 1;
      }
      int j = i - k;
      while (i < n && j < m && at_x(i) == at_y(j)) {
        ++i;
        ++j;
      }
      frontier[slot(k)] = i;
      if (i >= n && j >= m) found = d;
    }
    saved.emplace_back(frontier.begin() + static_cast<std::ptrdiff_t>(slot(-d)),
                       frontier.begin() + static_cast<std::ptrdiff_t>(slot(d)) + 1);
  }
  if (found < 0) {
    std::fill(gone.begin() + static_cast<std::ptrdiff_t>(xs), gone.begin() + static_cast<std::ptrdiff_t>(xe),
              1);
    std::fill(come.begin() + static_cast<std::ptrdiff_t>(ys), come.begin() + static_cast<std::ptrdiff_t>(ye),
              1);
    return;
  }
  int i = n;
  int j = m;
  for (int d = found; d > 0; --d) {
    const std::vector<int>& last = saved[static_cast<std::size_t>(d - 1)];
    const auto value = [&](int k) {
      return k < -(d - 1) || k > d - 1 ? -1 : last[static_cast<std::size_t>(k + d - 1)];
    };
    const int k = i - j;
    const bool down = k == -d || (k != d && value(k - 1) < value(k + 1));
    const int from = down ? k + 1 : k - 1;
    const int start = value(from);
    if (down) {
      come[ys + static_cast<std::size_t>(start - from)] = 1;
    } else {
      gone[xs + static_cast<std::size_t>(start)] = 1;
    }
    i = start;
    j = start - from;
  }
}

}  // namespace

std::vector<Hunk> diff_lines(std::string_view before, std::string_view after, std::size_t context) {
  const std::vector<Line> a = split(before);
  const std::vector<Line> b = split(after);
  std::vector<int> x;
  std::vector<int> y;
  number_lines(a, b, x, y);
  std::size_t head = 0;
  while (head < x.size() && head < y.size() && x[head] == y[head]) ++head;
  std::size_t xe = x.size();
  std::size_t ye = y.size();
  while (xe > head && ye > head && x[xe - 1] == y[ye - 1]) {
    --xe;
    --ye;
  }
  std::vector<char> gone(a.size(), 0);
  std::vector<char> come(b.size(), 0);
  mark_changes(x, y, head, xe, head, ye, gone, come);

  std::vector<Hunk> hunks;
  std::size_t i = 0;
  std::size_t j = 0;
  while (true) {
    // The next change.
    std::size_t same = 0;
    while (i + same < a.size() && j + same < b.size() && gone[i + same] == 0 && come[j + same] == 0) ++same;
    const bool end =
        (i + same >= a.size() || gone[i + same] == 0) && (j + same >= b.size() || come[j + same] == 0);
    if (end) return hunks;
    i += same;
    j += same;
    Hunk hunk;
    const std::size_t lead = std::min({context, i, j, same});
    const std::size_t from_a = i - lead;
    const std::size_t from_b = j - lead;
    for (std::size_t at = from_a; at < i; ++at) hunk.lines.push_back({' ', a[at].text, a[at].no_newline});
    while (true) {
      while (i < a.size() && gone[i] != 0) {
        hunk.lines.push_back({'-', a[i].text, a[i].no_newline});
        ++i;
      }
      while (j < b.size() && come[j] != 0) {
        hunk.lines.push_back({'+', b[j].text, b[j].no_newline});
        ++j;
      }
      std::size_t run = 0;
      while (i + run < a.size() && j + run < b.size() && gone[i + run] == 0 && come[j + run] == 0) ++run;
      const bool more =
          (i + run < a.size() && gone[i + run] != 0) || (j + run < b.size() && come[j + run] != 0);
      const bool join = more && run <= 2 * context;
      const std::size_t take = join ? run : std::min(run, context);
      for (std::size_t at = 0; at < take; ++at)
        hunk.lines.push_back({' ', a[i + at].text, a[i + at].no_newline});
      i += take;
      j += take;
      if (!join) break;
    }
    hunk.before_count = i - from_a;
    hunk.after_count = j - from_b;
    hunk.before_start = hunk.before_count == 0 ? from_a : from_a + 1;
    hunk.after_start = hunk.after_count == 0 ? from_b : from_b + 1;
    hunks.push_back(std::move(hunk));
  }
}

std::string hunk_header(const Hunk& hunk) {
  const auto side = [](std::size_t start, std::size_t count) {
    return count == 1 ? fmt::format("{}", start) : fmt::format("{},{}", start, count);
  };
  return fmt::format("@@ -{} +{} @@", side(hunk.before_start, hunk.before_count),
                     side(hunk.after_start, hunk.after_count));
}

bool is_text(std::string_view data) {
  return data.find('\0') == std::string_view::npos;
}

}  // namespace rehearse::report
