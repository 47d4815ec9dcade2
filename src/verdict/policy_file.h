// Policy files (docs/policy.md): TOML, schema "rehearse.policy/1", merged in the order in which they are
// added.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "verdict/policy.h"

namespace rehearse::verdict {

inline constexpr std::size_t kLargestPolicyFile = 16U << 20U;

/// Puts files together. Rules, exceptions and tests are added up; a limit or an approval that is said again
/// replaces what was said before.
class PolicyMerge {
 public:
  PolicyMerge();
  PolicyMerge(PolicyMerge&&) noexcept;
  PolicyMerge& operator=(PolicyMerge&&) noexcept;
  ~PolicyMerge();

  /// `path` is for errors, which are kConfig and name file, line, column, the thing and the remedy; nothing
  /// of a file with an error is added. `directory`: where the bundles of its tests are looked for.
  Result<void> add(std::string_view text, const std::string& path, std::int64_t mtime_ns = 0,
                   const std::string& directory = {});
  /// Checks what can be checked of all files together only, and makes the digest. Call once.
  Result<Policy> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// True for a rule's name: "priv.setuid-new".
bool is_rule_id(std::string_view id);

}  // namespace rehearse::verdict
