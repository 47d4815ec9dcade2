// Paths as text: by components, without looking at any file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rehearse {

/// True if the absolute `path` is `directory` or lies below it.
inline bool is_within(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.starts_with('/');
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

/// `path` below `base`, component by component, without "." and ".."; ".." stops at the first `kept` bytes of
/// `base`.
std::string joined_path(std::string_view base, std::size_t kept, std::string_view path);

/// The absolute `path` without "." and "..", doubled slashes and one at the end.
inline std::string normal_path(std::string_view path) {
  return joined_path({}, 0, path);
}

}  // namespace rehearse
