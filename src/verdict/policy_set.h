// The policy in force: files of this host, merged in this order, each directory in the order of the names.
//
//   /usr/share/rehearse/policy.d/*.toml   shipped; where there are none, the same files as they were when
//   this
//                                         program was built ("built in: NAME")
//   /etc/rehearse/policy.d/*.toml         this host's own
//
// A file decides what is let pass: only one that nobody but root can write is taken, from a directory of
// which the same is true. Whatever is wrong is kConfig, one line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "verdict/policy.h"

namespace rehearse::verdict {

inline constexpr const char* kShippedPolicies = "/usr/share/rehearse/policy.d";
inline constexpr const char* kHostPolicies = "/etc/rehearse/policy.d";
/// Stands for the files that were built in, where a path is asked for.
inline constexpr std::string_view kBuiltIn = "builtin";

/// kAnybody: to look at a policy that decides nothing.
enum class Trust : std::uint8_t { kRootOnly, kAnybody };

/// `sources` (files, directories, "builtin") in place of the host's own; empty: those.
Result<Policy> load_policy(std::span<const std::string> sources, Trust trust = Trust::kRootOnly);

struct BuiltInFile {
  std::string_view name;
  std::string_view text;
};
/// In the order of their names.
std::vector<BuiltInFile> built_in_policies();

}  // namespace rehearse::verdict
