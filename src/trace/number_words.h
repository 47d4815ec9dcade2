// Whether a program's words ask for device numbers, which are a layer's own inside: to show them, or to keep
// them and compare with those of another day.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::trace {

/// `program`: its name, without directories.
bool asks_for_device_numbers(std::string_view program, const std::vector<std::string>& words);

}  // namespace rehearse::trace
