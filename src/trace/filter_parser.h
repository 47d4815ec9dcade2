// The grammar of filters: libsinsp's (falcosecurity/libs, userspace/libsinsp/filter/parser.h).
//
//   or      ::= and ("or" and)*              and ::= not ("and" not)*
//   not     ::= "not"* ( "(" or ")" | check )
//   check   ::= operand ( "exists" | operator value | list-operator list )
//   operand ::= field | function "(" operand ")"      field ::= name ( "[" argument "]" )?
//   value   ::= quoted | bare | "val(" field ")" | function "(" operand ")"
//   list    ::= "(" ( word ("," word)* )? ")" | value
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/filter_check.h"

namespace rehearse::trace {

/// A node of the tree: a check (by number), or others joined.
struct FilterNode {
  enum class Kind : std::uint8_t { kCheck, kNot, kAnd, kOr };
  Kind kind = Kind::kCheck;
  std::uint32_t check = 0;
  std::vector<FilterNode> children;
};

struct ParsedFilter {
  FilterNode root;  ///< at most kDeepestFilter parentheses deep
  std::vector<FilterCheck> checks;
};

constexpr std::size_t kLongestFilter = 64UL << 10U;
constexpr std::size_t kDeepestFilter = 100;
constexpr std::size_t kMostChecks = 4096;
constexpr std::size_t kMostRegexes = 64;

/// kUsage with the column (in characters, from 1) if the text is no filter.
Result<ParsedFilter> parse_filter(std::string_view text);

}  // namespace rehearse::trace
