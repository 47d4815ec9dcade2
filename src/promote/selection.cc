#include "promote/selection.h"

#include <algorithm>

namespace rehearse::promote {

bool is_below(std::string_view path, std::string_view top) {
  if (top == "/" || top.empty()) return true;
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

bool path_less(std::string_view a, std::string_view b) {
  // A slash sorts before every byte that a name may hold.
  const auto rank = [](char c) { return c == '/' ? 0U : static_cast<unsigned char>(c); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

bool Selection::takes(std::string_view path) const {
  const auto below = [&](const std::string& top) { return is_below(path, top); };
  if (std::any_of(except.begin(), except.end(), below)) return false;
  return only.empty() || std::any_of(only.begin(), only.end(), below);
}

const std::string* Selection::stray(std::span<const std::string> paths) const {
  for (const std::vector<std::string>* named : {&only, &except}) {
    for (const std::string& top : *named) {
      if (std::ranges::none_of(paths, [&](const std::string& path) { return is_below(path, top); }))
        return &top;
    }
  }
  return nullptr;
}

}  // namespace rehearse::promote
