// A path that stands for itself and everything below it, component by component (`pmatch`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::trace {

class PathPrefix {
 public:
  /// Components may be shell patterns; empty ones do not count, so "/" stands for every path.
  explicit PathPrefix(std::string_view path);
  /// /usr/l* matches /usr/lib and /usr/lib/x, not /usr or /var.
  [[nodiscard]] bool matches(std::string_view path) const;

 private:
  struct Component {
    std::string text;
    bool glob = false;
  };
  std::vector<Component> components_;
};

}  // namespace rehearse::trace
