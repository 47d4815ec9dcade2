// How a filter's mistakes are reported: one line that names the column.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/result.h"

namespace rehearse::trace {

inline tl::unexpected<Error> filter_error(std::size_t column, std::string_view what, std::string fix) {
  return fail(fmt::format("filter, column {}: {}", column, what), ExitCode::kUsage, std::move(fix));
}

/// A piece of the filter as it is shown in an error: cut, since a word can be as long as the filter.
inline std::string shown(std::string_view word) {
  constexpr std::size_t kMost = 60;
  return fmt::format("'{}{}'", word.substr(0, kMost), word.size() > kMost ? "…" : "");
}

}  // namespace rehearse::trace
