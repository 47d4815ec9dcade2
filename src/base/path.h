// Paths as text: by components, without looking at any file.
#pragma once

#include <string_view>

namespace rehearse {

/// True if the absolute `path` is `directory` or lies below it.
inline bool is_within(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.starts_with('/');
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace rehearse
