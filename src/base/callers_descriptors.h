// The descriptors above 2 that this process was started with: its caller has them open, and handed them on.
#pragma once

#include <map>
#include <string>

namespace rehearse {

/// By number, what each stands for: a path as the kernel shows it, "pipe", "socket", "anon_inode:[eventfd]".
using Descriptors = std::map<int, std::string>;

/// Of programs that call it as their first thing: before anything of theirs is open.
void note_callers_descriptors();
/// Those that were noted; none if nobody has.
const Descriptors& callers_descriptors();

}  // namespace rehearse
