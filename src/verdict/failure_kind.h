// The kinds of failures that can be told from each other, and what to do about each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rehearse::verdict {

/// In the order in which a report lists them.
enum class FailureKind : std::uint8_t {
  kConfigInvalid,
  kSchemaMismatch,
  kPackageConflict,
  kServiceFailed,
  kDiskFull,
  kPermissionDenied,
  kMissingCommand,
  kMissingFile,
  kNotADirectory,
  kDependencyUnreachable,
  kTimeout,
  kKilled,
};

struct FailureText {
  FailureKind kind;
  std::string_view name;  ///< "disk-full"; the rule is "failure.disk-full"
  std::string_view why;
  std::string_view fix;
};

const FailureText& describe(FailureKind kind);
std::optional<FailureKind> parse_failure_kind(std::string_view name);

}  // namespace rehearse::verdict
