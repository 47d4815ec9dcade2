// File handles, name_to_handle_at(2): what an object is called by its filesystem, whatever names it has.
#pragma once

#include <optional>
#include <string>

namespace rehearse {

/// Of an open object, the handle's type in the first byte: the same for as long as the object lives, and what
/// overlayfs notes of what it copies up. Nothing where the filesystem has no handles.
std::optional<std::string> handle_key(int fd);

}  // namespace rehearse
