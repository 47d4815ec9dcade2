// Programs by which scripts look at what there is, as opposed to those that look for their own sake: what the
// former are told is what a script acts on.
#pragma once

#include <string_view>

namespace rehearse {

/// `program`: its path, or its name. Shells, interpreters, and what prints or compares files.
bool is_script_tool(std::string_view program);

}  // namespace rehearse
