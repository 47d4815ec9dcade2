// Patterns of files that people write: `*` and `**` are stars, everything else stands for itself.
//
// In a path `*` stops at a slash and `**` does not; in a line or a header both are the same. There are no
// brackets and no question marks, since URLs and protocols are full of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rehearse {

enum class Star : std::uint8_t { kStopsAtSlash, kTakesAll };

/// Files that hold patterns refuse longer ones.
inline constexpr std::size_t kLongestPattern = 1024;

/// True if the pattern is all of the text. Takes at most pattern times text steps.
bool star_matches(std::string_view pattern, std::string_view text, Star star);

}  // namespace rehearse
