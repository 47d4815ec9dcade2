// Many path globs, matched against many paths at once.
//
// A glob is a path of components. Within one, wildcard.h; a component `**` stands for any number of
// components, none included, but at the end for one at least: "/srv/**" is everything below /srv. All globs
// make one tree of components; a path walks down it once, whatever their number, and what it shares with the
// path before is not walked again.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace rehearse::verdict {

class PathGlobs {
 public:
  /// What is wrong with it, in a few words; empty: nothing. It begins with a slash or is or begins with `**`.
  static std::string fault(std::string_view glob);

  /// Adds a glob without fault; equal globs get the same number. Numbers count from 0.
  std::uint32_t add(std::string_view glob);
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(globs_.size()); }

 private:
  friend class PathMatcher;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Index = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Node {
    std::vector<std::uint32_t> plain;  ///< below components without wildcards
    std::vector<std::pair<std::string, std::uint32_t>> wild;
    std::uint32_t any = kNone;        ///< below a component `**`
    bool repeats = false;             ///< it stands for any further component
    std::vector<std::uint32_t> ends;  ///< globs that end here
  };
  /// A component without wildcards below a node. All nodes' are in one table: most nodes have one or none.
  struct Edge {
    std::uint32_t from = 0;
    std::string component;
  };
  struct EdgeView {
    std::uint32_t from = 0;
    std::string_view component;
  };
  struct EdgeHash {
    using is_transparent = void;
    /// `component`: the hash of it, for which a path pays once.
    static std::size_t combine(std::uint32_t from, std::size_t component) {
      constexpr std::size_t kOdd = 0x9e3779b97f4a7c15;
      return component ^ (from + 1) * kOdd;
    }
    std::size_t operator()(const EdgeView& edge) const {
      return combine(edge.from, std::hash<std::string_view>()(edge.component));
    }
    std::size_t operator()(const Edge& edge) const { return (*this)(EdgeView{edge.from, edge.component}); }
  };
  struct EdgeEqual {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.from == b.from && std::string_view(a.component) == std::string_view(b.component);
    }
  };
  std::uint32_t child(std::uint32_t from, std::string_view component);
  std::uint32_t child_any(std::uint32_t from);

  std::vector<Node> nodes_ = std::vector<Node>(1);
  tsl::robin_map<Edge, std::uint32_t, EdgeHash, EdgeEqual> edges_;
  Index globs_;
};

/// Matches paths with globs, which outlive it and do not change meanwhile.
class PathMatcher {
 public:
  explicit PathMatcher(const PathGlobs& globs);

  /// The numbers of the globs that match, each once. Valid until the next call. `below`: the path stands for
  /// everything below it too (a renamed directory, a symlink): globs that could match something there match,
  /// but for the sake of a `**` before the last component.
  const std::vector<std::uint32_t>& match(std::string_view path, bool below = false);

 private:
  void enter(std::uint32_t node);
  void collect(std::uint32_t node, bool below);
  void go_back(std::string_view path);

  const PathGlobs& globs_;
  std::string last_;                       ///< the path before
  std::vector<std::size_t> ends_;          ///< of its components
  std::vector<std::size_t> starts_ = {0};  ///< in states_: of the nodes that so many components lead to
  std::vector<std::uint32_t> states_;
  std::vector<std::uint32_t> matched_;
  std::vector<std::uint32_t> seen_;  ///< by glob: the round in which it was added
  std::uint32_t round_ = 0;
};

}  // namespace rehearse::verdict
