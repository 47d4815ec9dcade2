// A list that is named in a gap or a finding, which are a line each.
#pragma once

#include <fmt/format.h>

#include <ranges>
#include <string>

namespace rehearse {

/// The first few of `all` (strings), as they are, and how many more: "/a, /b and 12 more".
template <std::ranges::sized_range Range>
std::string some(const Range& all) {
  constexpr std::size_t kShown = 5;
  std::string text;
  std::size_t shown = 0;
  for (const std::string& one : all) {
    if (shown++ == kShown) return text + fmt::format(" and {} more", std::ranges::size(all) - kShown);
    text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

}  // namespace rehearse
