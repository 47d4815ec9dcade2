// How far apart two words are: to name what a mistyped one may have meant.
#pragma once

#include <cstddef>
#include <ranges>
#include <string_view>

namespace rehearse {

/// Longer words have no neighbours.
inline constexpr std::size_t kLongestWord = 40;

/// Levenshtein's distance; both at most kLongestWord bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The most that a neighbour of the word may be apart from it.
std::size_t neighbour_distance(std::string_view word);

/// The nearest of the words to `word`; empty if none is near.
template <std::ranges::input_range Words>
std::string_view nearest_word(std::string_view word, const Words& words) {
  if (word.empty() || word.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t least = neighbour_distance(word) + 1;
  for (const std::string_view known : words) {
    const std::size_t apart = known.size() > kLongestWord ? least : edit_distance(word, known);
    if (apart < least) {
      least = apart;
      best = known;
    }
  }
  return best;
}

}  // namespace rehearse
