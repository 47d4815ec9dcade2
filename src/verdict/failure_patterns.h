// What programs say when they fail, as data: packaging/failures/patterns.toml, carried within the binary.
// docs/failures.md is the reference of the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "verdict/failure_kind.h"

namespace re2 {
class RE2;
}

namespace rehearse::verdict {

struct FailurePattern {
  FailureKind kind = FailureKind::kKilled;
  std::string needle;       ///< a line without it cannot match: looked for first
  std::string pattern;      ///< RE2's syntax, over the bytes of a line
  std::string subject;      ///< what the first group is, as a kind of evidence: "file", "command", ...
  bool strong = false;      ///< believed of a command that ended with 0, too
  bool needs_call = false;  ///< believed only with a system call that failed so, where calls were recorded
  std::string fix;          ///< instead of the kind's own
};

/// A line that a pattern knows.
struct SaidFailure {
  const FailurePattern* pattern = nullptr;
  std::string line;     ///< cut to what is kept
  std::string subject;  ///< of its first group
};

class FailurePatterns {
 public:
  /// `path` is for errors; they are kConfig and name file, line, column, the thing and the remedy.
  static Result<FailurePatterns> parse(std::string_view text, const std::string& path);
  /// Those that are shipped.
  static const FailurePatterns& shipped();

  FailurePatterns(FailurePatterns&&) noexcept;
  FailurePatterns& operator=(FailurePatterns&&) noexcept;
  FailurePatterns(const FailurePatterns&) = delete;
  FailurePatterns& operator=(const FailurePatterns&) = delete;
  ~FailurePatterns();

  /// Lines of `output` that a pattern knows, the first pattern of each, in order; the last of them if there
  /// are many. `output` is hostile: time is at most patterns times bytes, whatever it says.
  [[nodiscard]] std::vector<SaidFailure> find(std::string_view output) const;
  [[nodiscard]] const std::vector<FailurePattern>& all() const { return patterns_; }

 private:
  FailurePatterns();
  [[nodiscard]] const re2::RE2* compiled(std::size_t i) const;

  std::vector<FailurePattern> patterns_;
  mutable std::vector<std::unique_ptr<re2::RE2>> compiled_;  ///< when first needed
};

inline constexpr std::size_t kMostScanned = std::size_t{1} << 20U;  ///< of each stream, its end
inline constexpr std::size_t kMostSaid = 64;                        ///< lines
inline constexpr std::size_t kLongestLine = 2048;                   ///< bytes of a line that are looked at

}  // namespace rehearse::verdict
