#include "report/text_width.h"

#include <algorithm>
#include <array>
#include <vector>

namespace rehearse::report {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array kZero = {
    Range{0x0300, 0x036f}, Range{0x0483, 0x0489}, Range{0x0591, 0x05bd},   Range{0x05bf, 0x05c7},
    Range{0x0610, 0x061a}, Range{0x064b, 0x065f}, Range{0x0670, 0x0670},   Range{0x06d6, 0x06ed},
    Range{0x0730, 0x074a}, Range{0x07eb, 0x07f3}, Range{0x0816, 0x082d},   Range{0x0859, 0x085b},
    Range{0x08ca, 0x0902}, Range{0x093a, 0x093a}, Range{0x093c, 0x093c},   Range{0x0941, 0x0948},
    Range{0x094d, 0x094d}, Range{0x0951, 0x0957}, Range{0x0e31, 0x0e31},   Range{0x0e34, 0x0e3a},
    Range{0x0e47, 0x0e4e}, Range{0x0eb1, 0x0eb1}, Range{0x0eb4, 0x0ebc},   Range{0x1160, 0x11ff},
    Range{0x135d, 0x135f}, Range{0x1ab0, 0x1ace}, Range{0x1dc0, 0x1dff},   Range{0x200b, 0x200f},
    Range{0x20d0, 0x20f0}, Range{0x302a, 0x302d}, Range{0x3099, 0x309a},   Range{0xa66f, 0xa67d},
    Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}, Range{0x1f3fb, 0x1f3ff}, Range{0xe0100, 0xe01ef}};

constexpr std::array kWide = {
    Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x2329, 0x232a},   Range{0x23e9, 0x23ec},
    Range{0x23f0, 0x23f0},   Range{0x23f3, 0x23f3},   Range{0x25fd, 0x25fe},   Range{0x2614, 0x2615},
    Range{0x2648, 0x2653},   Range{0x267f, 0x267f},   Range{0x2693, 0x2693},   Range{0x26a1, 0x26a1},
    Range{0x26aa, 0x26ab},   Range{0x26bd, 0x26be},   Range{0x26c4, 0x26c5},   Range{0x26ce, 0x26ce},
    Range{0x26d4, 0x26d4},   Range{0x26ea, 0x26ea},   Range{0x26f2, 0x26f3},   Range{0x26f5, 0x26f5},
    Range{0x26fa, 0x26fa},   Range{0x26fd, 0x26fd},   Range{0x2705, 0x2705},   Range{0x270a, 0x270b},
    Range{0x2728, 0x2728},   Range{0x274c, 0x274c},   Range{0x274e, 0x274e},   Range{0x2753, 0x2755},
    Range{0x2757, 0x2757},   Range{0x2795, 0x2797},   Range{0x27b0, 0x27b0},   Range{0x27bf, 0x27bf},
    Range{0x2b1b, 0x2b1c},   Range{0x2b50, 0x2b50},   Range{0x2b55, 0x2b55},   Range{0x2e80, 0x303e},
    Range{0x3041, 0x33ff},   Range{0x3400, 0x4dbf},   Range{0x4e00, 0xa4c6},   Range{0xa960, 0xa97c},
    Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe10, 0xfe19},   Range{0xfe30, 0xfe6b},
    Range{0xff01, 0xff60},   Range{0xffe0, 0xffe6},   Range{0x16fe0, 0x18cd5}, Range{0x1aff0, 0x1b2fb},
    Range{0x1f004, 0x1f004}, Range{0x1f0cf, 0x1f0cf}, Range{0x1f18e, 0x1f18e}, Range{0x1f191, 0x1f19a},
    Range{0x1f200, 0x1f320}, Range{0x1f32d, 0x1f335}, Range{0x1f337, 0x1f37c}, Range{0x1f37e, 0x1f393},
    Range{0x1f3a0, 0x1f3ca}, Range{0x1f3cf, 0x1f3d3}, Range{0x1f3e0, 0x1f3f0}, Range{0x1f3f8, 0x1f43e},
    Range{0x1f440, 0x1f440}, Range{0x1f442, 0x1f4fc}, Range{0x1f4ff, 0x1f53d}, Range{0x1f54b, 0x1f567},
    Range{0x1f57a, 0x1f57a}, Range{0x1f595, 0x1f596}, Range{0x1f5a4, 0x1f5a4}, Range{0x1f5fb, 0x1f64f},
    Range{0x1f680, 0x1f6c5}, Range{0x1f6cc, 0x1f6d2}, Range{0x1f6d5, 0x1f6df}, Range{0x1f6eb, 0x1f6ec},
    Range{0x1f6f4, 0x1f6fc}, Range{0x1f7e0, 0x1f7f0}, Range{0x1f90c, 0x1f9ff}, Range{0x1fa70, 0x1faff},
    Range{0x20000, 0x3fffd}};

template <std::size_t N>
bool contains(const std::array<Range, N>& ranges, char32_t c) {
  const auto at = std::lower_bound(ranges.begin(), ranges.end(), c,
                                   [](const Range& range, char32_t value) { return range.last < value; });
  return at != ranges.end() && at->first <= c;
}

std::size_t width_of(char32_t c) {
  if (c < 0x300) return 1;
  if (contains(kZero, c)) return 0;
  return contains(kWide, c) ? 2 : 1;
}

/// Start and width of each character.
struct Glyph {
  std::size_t at;
  std::size_t width;
};

/// Length of the character at `at` and its code; malformed bytes count as one column each.
std::size_t next(std::string_view text, std::size_t at, char32_t& code) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0x80 || at + length > text.size()) {
    code = lead;
    return 1;
  }
  code = length == 1 ? lead : lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i)
    code = code << 6U | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
  return length;
}

}  // namespace

std::size_t text_width(std::string_view utf8) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    char32_t code = 0;
    at += next(utf8, at, code);
    width += width_of(code);
  }
  return width;
}

std::string fit_middle(std::string_view utf8, std::size_t columns) {
  columns = std::max<std::size_t>(columns, 8);
  if (utf8.size() <= columns || text_width(utf8) <= columns) return std::string(utf8);
  std::vector<Glyph> glyphs;
  for (std::size_t at = 0; at < utf8.size();) {
    char32_t code = 0;
    const std::size_t start = at;
    at += next(utf8, at, code);
    glyphs.push_back({start, width_of(code)});
  }
  const std::size_t room = columns - 1;
  const std::size_t front = room / 3;
  std::size_t used = 0;
  std::size_t head = 0;
  while (head < glyphs.size() && used + glyphs[head].width <= front) used += glyphs[head++].width;
  std::size_t tail = glyphs.size();
  while (tail > head && used + glyphs[tail - 1].width <= room) used += glyphs[--tail].width;
  while (tail < glyphs.size() && glyphs[tail].width == 0) ++tail;  // a mark without its base letter
  std::string text(utf8.substr(0, glyphs[head].at));
  text += "…";
  if (tail < glyphs.size()) text += utf8.substr(glyphs[tail].at);
  return text;
}

std::string wrap(std::string_view utf8, std::size_t indent, std::size_t columns) {
  std::string text;
  const std::size_t room = columns > indent + 20 ? columns - indent
                           : columns == 0        ? std::string_view::npos
                                                 : 20;
  std::size_t used = 0;
  while (!utf8.empty()) {
    const std::size_t space = utf8.find(' ');
    const std::string_view word = utf8.substr(0, space);
    const std::size_t width = text_width(word);
    if (used == 0) {
      text.append(indent, ' ');
    } else if (used + 1 + width > room) {
      text += '\n';
      text.append(indent, ' ');
      used = 0;
    } else {
      text += ' ';
      ++used;
    }
    text += word;
    used += width;
    if (space == std::string_view::npos) break;
    utf8.remove_prefix(space + 1);
  }
  text += '\n';
  return text;
}

}  // namespace rehearse::report
