// Looking for what lies on the live host under a path that the action named: found by descriptor, never
// opened.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse {

class HostRoot {
 public:
  static Result<HostRoot> open();

  /// An O_PATH descriptor of what the host has there, symlinks within its root followed (the last one only
  /// with `follow`), magic links never. `path` is absolute.
  [[nodiscard]] Result<UniqueFd> find(const std::string& path, bool follow = true) const;
  /// `path` without its symlinks; nothing if there is nothing.
  [[nodiscard]] std::optional<std::string> real_path(const std::string& path) const;

 private:
  explicit HostRoot(UniqueFd root) : root_(std::move(root)) {}
  UniqueFd root_;
};

}  // namespace rehearse
