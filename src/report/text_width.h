// How many columns text takes on a terminal, and fitting it there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rehearse::report {

/// Columns of well-formed UTF-8 without control characters: East Asian wide and emoji count two, combining
/// marks none (Unicode 15, the ranges terminals agree on). Independent of the locale.
std::size_t text_width(std::string_view utf8);

/// Cuts the middle so that the text fits `columns` (at least 8), keeping both ends: "/usr/share/…/name".
std::string fit_middle(std::string_view utf8, std::size_t columns);

/// Breaks at spaces into lines of at most `columns` (0: one line), each after `indent` spaces and ended by a
/// newline.
std::string wrap(std::string_view utf8, std::size_t indent, std::size_t columns);

}  // namespace rehearse::report
