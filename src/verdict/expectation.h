// What was declared of a run before it began, and how it compares with what happened. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/expected_names.h"
#include "verdict/finding.h"
#include "verdict/path_globs.h"

namespace rehearse::verdict {

/// A command that is run inside when the action has ended.
struct Probe {
  std::vector<std::string> run;
  int exit = 0;  ///< expected
  std::int64_t timeout_ns = 30'000'000'000;
  std::vector<std::string> stdout_contains;
};

/// An absent member expects nothing. Patterns: path_globs.h; one that ends in `/**` also means the directory
/// itself.
struct Expectations {
  std::string source;            ///< the file that says so
  Level level = Level::kYellow;  ///< of what is not met
  std::optional<int> exit;
  std::optional<std::int64_t> wall_ns;  ///< less than; likewise the others
  std::optional<std::int64_t> cpu_ns;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> write_bytes;
  std::optional<std::vector<std::string>> may_change;  ///< nothing else; empty: nothing at all
  std::vector<std::string> must_change;
  std::vector<std::string> must_not_change;
  std::optional<std::vector<std::string>> net;    ///< endpoints that may be asked for, and nothing else
  std::optional<std::vector<std::string>> units;  ///< "UNIT" or "UNIT:REQUEST"; "manager" has no unit
  ExpectedNames accounts;
  ExpectedNames packages;
  std::vector<Probe> probes;

  [[nodiscard]] bool any() const;
};

/// One thing that was declared, as text: kept with the run before it begins.
struct Wanted {
  std::string what;                 ///< "exit", "must_change", ...
  std::vector<std::string> values;  ///< of a list each; of a probe its words
};
std::vector<Wanted> declared(const Expectations& expected);

/// What became of one. What could not be found out is not met.
struct Expectation {
  std::string what;
  std::string wanted;
  std::string got;
  bool met = false;
};

/// How a probe ended.
struct ProbeOutcome {
  bool ran = false;
  std::string why_not;  ///< it did not run
  std::optional<int> exit;
  std::optional<int> signal;
  bool timed_out = false;
  std::string error;  ///< why it could not be started
  std::string out;
};

/// The changes of a run, one after the other, against the patterns.
class ChangedPaths {
 public:
  explicit ChangedPaths(const Expectations& expected);
  ChangedPaths(const ChangedPaths&) = delete;
  ChangedPaths& operator=(const ChangedPaths&) = delete;
  /// `from`: the old path of a renamed object, else empty.
  void add(std::string_view path, std::string_view from);

  /// Paths that are not expected: the first of them, and how many.
  struct Unexpected {
    std::vector<std::string> first;
    std::uint64_t count = 0;
  };
  [[nodiscard]] const Unexpected& beside() const { return beside_; }
  [[nodiscard]] const Unexpected& against() const { return against_; }
  /// For each pattern of must_change whether it was met.
  [[nodiscard]] const std::vector<bool>& changed() const { return changed_; }

 private:
  /// Numbers of its globs: the pattern, and of one that ends in `/**` the directory itself.
  struct Pattern {
    std::uint32_t glob;
    std::uint32_t top;
    [[nodiscard]] bool holds(const std::vector<bool>& globs) const { return globs[glob] || globs[top]; }
  };
  std::vector<Pattern> add(const std::vector<std::string>& patterns);
  std::vector<bool> matching(std::string_view path, bool below);

  PathGlobs globs_;
  std::optional<PathMatcher> matcher_;  ///< refers to them
  bool limited_;                        ///< nothing may change but `may_`
  std::vector<Pattern> may_;
  std::vector<Pattern> must_;
  std::vector<Pattern> must_not_;
  std::vector<bool> changed_;
  Unexpected beside_;   ///< may_change
  Unexpected against_;  ///< must_not_change
};

/// What happened, as far as expectations go.
struct Happened {
  std::string ending;  ///< "exit 0", "killed by SIGKILL", "never started"
  std::optional<int> exit;
  std::int64_t wall_ns = 0;
  std::int64_t cpu_ns = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t written_bytes = 0;
  bool paths_known = false;          ///< the change set could be read
  bool network_known = false;        ///< there was a trace
  std::vector<std::string> network;  ///< endpoints that no item of `net` speaks of
  struct Asked {
    std::string unit;
    std::string request;
  };
  std::vector<Asked> units;  ///< requests that change something, and refused ones
  NamedChanges accounts;
  NamedChanges packages;
  std::vector<ProbeOutcome> probes;  ///< as many as are expected, in order
};

/// Every expectation with what became of it, in the order of declared().
std::vector<Expectation> compare(const Expectations& expected, const Happened& happened,
                                 const ChangedPaths& paths);

/// One finding for each kind of expectation that was not met: expect.exit, expect.wall, expect.cpu,
/// expect.memory, expect.write, expect.may-change, expect.must-change, expect.must-not-change, expect.net,
/// expect.units, expect.accounts-may, -must, -must-not, expect.packages-may, -must, -must-not, expect.probe.
std::vector<Finding> judge_expectations(const Expectations& expected,
                                        const std::vector<Expectation>& compared, const ChangedPaths& paths,
                                        const Happened& happened);

}  // namespace rehearse::verdict
