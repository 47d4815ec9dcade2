// Which paths a promotion or rollback takes: whole subtrees by exact path.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::promote {

/// `path` is `top` or lies below it; both absolute, or both relative. "/x/foo" is not above "/x/foobar".
bool is_below(std::string_view path, std::string_view top);

/// As file names sort when a directory comes right before what is in it.
bool path_less(std::string_view a, std::string_view b);

struct Selection {
  std::vector<std::string> only;    ///< empty: everything
  std::vector<std::string> except;  ///< wins
  [[nodiscard]] bool takes(std::string_view path) const;
  /// The first of `only`, else of `except`, that is neither one of these paths nor above one. A slip in
  /// either would select what was not meant.
  [[nodiscard]] const std::string* stray(std::span<const std::string> paths) const;
  [[nodiscard]] bool takes_all() const { return only.empty() && except.empty(); }
};

}  // namespace rehearse::promote
