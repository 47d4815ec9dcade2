// Renames and links, and where what lies under a path now lay before them.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace rehearse {

/// Takes them in the order in which they are done. Paths are compared as they are spelled: without "..",
/// doubled or trailing slashes. A directory takes along what lies below it. Not known of anything: it lies
/// where it always did.
class PathMoves {
 public:
  /// What stood at `to` is gone.
  void move(const std::string& from, const std::string& to);
  /// Each stands where the other stood.
  void exchange(const std::string& one, const std::string& other);
  /// What lies at `from` has the name `to` as well from now on. What stood at `to` is gone.
  void link(const std::string& from, const std::string& to);
  /// `path` is no name of what was linked or moved there any more; what comes to lie there is known by the
  /// directory that it is in.
  void forget(const std::string& path);

  /// The path before all moves of what is at `path` now.
  [[nodiscard]] std::string origin(std::string_view path) const;
  [[nodiscard]] std::size_t size() const { return came_from_.size(); }

 private:
  using Map = std::map<std::string, std::string, std::less<>>;
  Map take_out(const std::string& top);
  void put(Map taken, const std::string& from, const std::string& to);

  Map came_from_;  ///< by path now
};

}  // namespace rehearse
