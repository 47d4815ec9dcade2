#include "verdict/path_globs.h"

#include <algorithm>
#include <utility>

#include "verdict/wildcard.h"

namespace rehearse::verdict {
namespace {

constexpr std::string_view kDeep = "**";
constexpr std::size_t kLongest = 4096;

/// The component at the front of `rest`, which it is taken from. Repeated slashes count as one.
bool next_component(std::string_view& rest, std::string_view& component) {
  while (rest.starts_with('/')) rest.remove_prefix(1);
  if (rest.empty()) return false;
  component = rest.substr(0, rest.find('/'));
  rest.remove_prefix(component.size());
  return true;
}

std::string without_escapes(std::string_view component) {
  std::string text;
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] == '\\' && i + 1 < component.size()) ++i;
    text += component[i];
  }
  return text;
}

/// More than backslashes before plain characters.
bool is_wild(std::string_view component) {
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] == '\\')
      ++i;
    else if (component[i] == '*' || component[i] == '?' || component[i] == '[')
      return true;
  }
  return false;
}

}  // namespace

std::string PathGlobs::fault(std::string_view glob) {
  if (glob.size() > kLongest) return "is longer than 4096 bytes";
  if (!glob.starts_with('/') && !glob.starts_with(kDeep)) return "begins neither with / nor with **";
  std::string_view rest = glob;
  std::string_view component;
  std::string_view before;
  while (next_component(rest, component)) {
    if (component != kDeep && component.find(kDeep) != std::string_view::npos)
      return "has ** beside other characters between two slashes";
    if (component == "." || component == "..")
      return "has \".\" or \"..\" in it, which no path of a change has";
    if (component == kDeep && before == kDeep) return "has ** twice in a row";
    before = component;
  }
  if (glob.size() > 1 && glob.ends_with('/')) return "ends with a slash";
  return {};
}

std::uint32_t PathGlobs::child(std::uint32_t from, std::string_view component) {
  const auto fresh = static_cast<std::uint32_t>(nodes_.size());
  if (is_wild(component)) {
    for (const auto& [pattern, node] : nodes_[from].wild) {
      if (pattern == component) return node;
    }
    nodes_[from].wild.emplace_back(component, fresh);
  } else {
    const auto [at, added] = edges_.try_emplace(Edge{from, without_escapes(component)}, fresh);
    if (!added) return at->second;
    nodes_[from].plain.push_back(fresh);
  }
  nodes_.emplace_back();
  return fresh;
}

std::uint32_t PathGlobs::child_any(std::uint32_t from) {
  if (nodes_[from].any == kNone) {
    nodes_[from].any = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back().repeats = true;
  }
  return nodes_[from].any;
}

std::uint32_t PathGlobs::add(std::string_view glob) {
  const auto [at, fresh] = globs_.emplace(glob, size());
  if (!fresh) return at->second;
  std::uint32_t node = 0;
  std::string_view rest = glob;
  std::string_view component;
  while (next_component(rest, component)) {
    if (component != kDeep) {
      node = child(node, component);
      continue;
    }
    if (rest.empty()) node = child(node, "*");  // at the end: one component at least
    node = child_any(node);
  }
  nodes_[node].ends.push_back(at->second);
  return at->second;
}

PathMatcher::PathMatcher(const PathGlobs& globs) : globs_(globs), seen_(globs.size(), 0) {
  enter(0);
}

void PathMatcher::enter(std::uint32_t node) {
  for (; node != PathGlobs::kNone; node = globs_.nodes_[node].any) {
    const auto begin = states_.begin() + static_cast<std::ptrdiff_t>(starts_.back());
    if (std::find(begin, states_.end(), node) != states_.end()) return;
    states_.push_back(node);
  }
}

void PathMatcher::collect(std::uint32_t node, bool below) {
  const PathGlobs::Node& at = globs_.nodes_[node];
  for (const std::uint32_t glob : at.ends) {
    if (std::exchange(seen_[glob], round_) != round_) matched_.push_back(glob);
  }
  // Below `**` anything may follow, everywhere: that would be said of every directory.
  if (!below || at.repeats) return;
  for (const std::uint32_t next : at.plain) collect(next, true);
  for (const auto& [pattern, next] : at.wild) collect(next, true);
  if (at.any != PathGlobs::kNone) collect(at.any, true);
}

/// Forgets what the last path does not share with this one, in whole components.
void PathMatcher::go_back(std::string_view path) {
  std::size_t common = 0;
  const std::size_t most = std::min(path.size(), last_.size());
  while (common < most && path[common] == last_[common]) ++common;
  std::size_t kept = 0;
  while (kept < ends_.size() && ends_[kept] <= common &&
         (ends_[kept] == path.size() || path[ends_[kept]] == '/'))
    ++kept;
  if (kept == ends_.size()) return;
  states_.resize(starts_[kept + 1]);
  starts_.resize(kept + 1);
  ends_.resize(kept);
}

const std::vector<std::uint32_t>& PathMatcher::match(std::string_view path, bool below) {
  if (++round_ == 0) {
    std::fill(seen_.begin(), seen_.end(), 0);
    round_ = 1;
  }
  matched_.clear();
  go_back(path);
  last_.assign(path);
  std::string_view rest = path.substr(ends_.empty() ? 0 : ends_.back());
  std::string_view component;
  while (next_component(rest, component)) {
    const std::size_t from = starts_.back();
    const std::size_t to = states_.size();
    ends_.push_back(path.size() - rest.size());
    starts_.push_back(to);
    const std::size_t hash = std::hash<std::string_view>()(component);
    for (std::size_t i = from; i < to; ++i) {
      const PathGlobs::Node& node = globs_.nodes_[states_[i]];
      if (node.repeats) enter(states_[i]);
      if (!node.plain.empty()) {
        const PathGlobs::EdgeView edge = {states_[i], component};
        const auto found = globs_.edges_.find(edge, PathGlobs::EdgeHash::combine(edge.from, hash));
        if (found != globs_.edges_.end()) enter(found->second);
      }
      for (const auto& [pattern, next] : node.wild) {
        if (pattern == "*" || wildcard_matches(pattern, component)) enter(next);
      }
    }
  }
  for (std::size_t i = starts_.back(); i < states_.size(); ++i) collect(states_[i], below);
  return matched_;
}

}  // namespace rehearse::verdict
