#include "trace/path_prefix.h"

#include "trace/glob.h"

namespace rehearse::trace {
namespace {

/// Takes the next component that is not empty; empty at the end.
std::string_view take_component(std::string_view& path) {
  const std::size_t start = path.find_first_not_of('/');
  if (start == std::string_view::npos) {
    path = {};
    return {};
  }
  path.remove_prefix(start);
  const std::string_view component = path.substr(0, path.find('/'));
  path.remove_prefix(component.size());
  return component;
}

}  // namespace

PathPrefix::PathPrefix(std::string_view path) {
  for (auto part = take_component(path); !part.empty(); part = take_component(path))
    components_.push_back({std::string(part), is_glob(part)});
}

bool PathPrefix::matches(std::string_view path) const {
  for (const Component& wanted : components_) {
    const std::string_view part = take_component(path);
    if (part.empty()) return false;
    if (wanted.glob ? !glob_matches(wanted.text, part) : wanted.text != part) return false;
  }
  return true;
}

}  // namespace rehearse::trace
