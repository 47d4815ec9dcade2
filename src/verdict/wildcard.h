// Patterns of policies within one name: `*` any run of bytes, `?` any byte, `[a-z]` and `[!a-z]` one byte of
// a set, a backslash before what stands for itself.
#pragma once

#include <string_view>

namespace rehearse::verdict {

/// True if the pattern is all of the text. At most pattern times text steps.
bool wildcard_matches(std::string_view pattern, std::string_view text);

/// True if it is more than the text it spells.
bool has_wildcard(std::string_view pattern);

}  // namespace rehearse::verdict
