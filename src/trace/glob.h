// Shell patterns as fnmatch(3) reads them without flags: `*` also matches a slash.
//
// fnmatch itself depends on the locale and takes exponential time for some patterns; this takes at most
// pattern times text, and `?` is one UTF-8 character or one byte that belongs to none.
#pragma once

#include <string_view>

namespace rehearse::trace {

/// `*`, `?`, `[a-z]`, `[!a-z]`, `[[:digit:]]`, backslash. `fold`: ASCII letters match either case.
bool glob_matches(std::string_view pattern, std::string_view text, bool fold = false);

/// True if the pattern is more than the text it spells.
bool is_glob(std::string_view pattern);

}  // namespace rehearse::trace
