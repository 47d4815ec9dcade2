#include "base/path_moves.h"

#include <utility>

namespace rehearse {

std::string PathMoves::origin(std::string_view path) const {
  if (came_from_.empty()) return std::string(path);
  std::string_view at = path;
  while (true) {
    if (const auto found = came_from_.find(at); found != came_from_.end())
      return found->second + std::string(path.substr(at.size()));
    const std::size_t slash = at.rfind('/');
    if (slash == std::string_view::npos || slash == 0) return std::string(path);
    at = at.substr(0, slash);
  }
}

/// What is known of `top` and below it, `top` itself in any case.
PathMoves::Map PathMoves::take_out(const std::string& top) {
  Map taken;
  taken.emplace(top, origin(top));
  came_from_.erase(top);
  const std::string below = top + '/';
  for (auto at = came_from_.lower_bound(below); at != came_from_.end() && at->first.starts_with(below);)
    taken.insert(came_from_.extract(at++));
  return taken;
}

void PathMoves::put(Map taken, const std::string& from, const std::string& to) {
  while (!taken.empty()) {
    auto node = taken.extract(taken.begin());
    node.key().replace(0, from.size(), to);
    came_from_.insert(std::move(node));
  }
}

void PathMoves::move(const std::string& from, const std::string& to) {
  if (from == to) return;
  Map taken = take_out(from);
  (void)take_out(to);
  put(std::move(taken), from, to);
}

void PathMoves::exchange(const std::string& one, const std::string& other) {
  if (one == other) return;
  Map first = take_out(one);
  Map second = take_out(other);
  put(std::move(first), one, other);
  put(std::move(second), other, one);
}

void PathMoves::link(const std::string& from, const std::string& to) {
  if (from == to) return;
  std::string source = origin(from);
  (void)take_out(to);
  came_from_.emplace(to, std::move(source));
}

void PathMoves::forget(const std::string& path) {
  if (!came_from_.empty()) (void)take_out(path);
}

}  // namespace rehearse
