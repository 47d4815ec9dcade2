// Which processes did something, for a terminal.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace rehearse::report {

/// "1, 4, 7"; of more than eight the rest is counted.
std::string process_list(const std::set<std::uint32_t>& processes);

}  // namespace rehearse::report
