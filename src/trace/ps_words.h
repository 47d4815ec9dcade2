// What ps(1) is asked for by its words: all processes, or some that the host may have and the run has not.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace rehearse::trace {

/// Whether it selects by command (-C), or by a number (-p, --pid and their like, or alone) that none of the
/// run's processes has. `is_inside`: whether one has.
bool ps_seeks_others(const std::vector<std::string>& words,
                     const std::function<bool(std::uint32_t)>& is_inside);

/// Whether it selects by numbers of processes and of parents, and by nothing else.
bool ps_selects_by_number(const std::vector<std::string>& words);

}  // namespace rehearse::trace
