// [rule.match.SUBJECT] and [rule.match.only] of a policy file.
#pragma once

#include "base/toml_file.h"
#include "verdict/policy.h"

namespace rehearse::verdict {

/// Reads all tables below `match` into the rule. kConfig names file, line, column, the thing and the remedy.
Result<void> read_match(const TomlTable& match, Rule& rule);

/// A path glob, or an error at the key.
Result<void> check_path_glob(const TomlTable& table, std::string_view key, const std::string& glob);

}  // namespace rehearse::verdict
