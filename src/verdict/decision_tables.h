// The tables of a policy that say who lets a run pass: [approval.LEVEL], [override], [standing], [skip].
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/toml_file.h"
#include "verdict/policy.h"

namespace rehearse::verdict {

/// What one file says of them.
struct DecisionTables {
  std::map<std::string, Approval> approvals;  ///< by level
  std::optional<OverrideTable> overriding;
  std::optional<StandingTable> standing;
  std::optional<SkipTable> skip;
};

/// kConfig names file, line, column, the thing and the remedy.
Result<DecisionTables> read_decision_tables(const TomlTable& root);

/// A table that is said again replaces the whole of what was said before.
void merge_decision_tables(DecisionTables from, Policy& into);

}  // namespace rehearse::verdict
