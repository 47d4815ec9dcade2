// A policy: what a person wrote about which effects are acceptable (docs/policy.md). Plain data, as merged
// from its files; evaluate.h says what it makes of a run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "verdict/finding.h"
#include "verdict/subjects.h"

namespace rehearse::verdict {

enum class Enforce : std::uint8_t { kAdvisory, kSoft, kHard };
const char* to_string(Enforce enforce);

/// From `low` to `high`, both included.
struct Range {
  std::int64_t low = INT64_MIN;
  std::int64_t high = INT64_MAX;
};

/// One key of a match table. A list is "any of".
struct Condition {
  std::uint8_t key = 0;               ///< index into the subject's keys
  bool negated = false;               ///< `not_` before the key
  std::vector<std::string> patterns;  ///< of paths, texts and words
  std::vector<Range> ranges;
  bool flag = true;  ///< of truths
};

/// [rule.match.SUBJECT]: holds if so many facts meet all conditions; with at_most = 0 if none does.
struct MatchTable {
  Subject subject = Subject::kFile;
  std::vector<Condition> conditions;
  std::uint64_t at_least = 1;
  std::optional<std::uint64_t> at_most;

  [[nodiscard]] bool holds(std::uint64_t count) const {
    return count >= at_least && (!at_most || count <= *at_most);
  }
};

/// [rule.match.only]: holds if every effect of the run lies within. What is not named is not let.
struct Envelope {
  std::vector<std::string> files;       ///< path globs
  std::vector<std::string> units;       ///< "UNIT:REQUEST"
  std::vector<std::string> net;         ///< "NAME:PORT", "ADDRESS:PORT"
  std::vector<std::string> privileged;  ///< kinds of attempts
  std::vector<std::string> accounts;    ///< "CHANGE:NAME"
  std::vector<std::string> packages;    ///< "CHANGE:NAME"
};

struct Rule {
  std::string id;
  Level level = Level::kYellow;
  Enforce enforce = Enforce::kSoft;
  bool shadow = false;
  std::string why;
  std::string fix;
  std::vector<std::string> refs;
  std::vector<MatchTable> tables;
  std::optional<Envelope> only;
  std::string place;  ///< FILE:LINE

  [[nodiscard]] bool decides() const { return !shadow && enforce != Enforce::kAdvisory; }
};

struct Exception {
  std::string rule;
  std::string path;    ///< path glob; empty: any
  std::string name;    ///< wildcard over a unit, package, account, destination...; empty: any
  std::string action;  ///< name of an action file; empty: any
  std::string owner;
  std::string reason;
  std::string expires;          ///< YYYY-MM-DD
  std::int64_t expires_ns = 0;  ///< the beginning of that day, UTC
  std::string place;
};

/// [approval.LEVEL]
struct Approval {
  std::int64_t need = 1;
  std::vector<std::string> roles;  ///< groups of this host
  bool not_requester = true;
  std::int64_t ttl_ns = 0;  ///< 0: the default
};

/// [override]: who may let a run pass without approval when there is no time for one.
struct OverrideTable {
  std::vector<std::string> roles;  ///< groups of this host
  std::int64_t max_ttl_ns = 0;
  std::int64_t review_within_ns = 0;
};

/// [standing]: when a person may approve what comes again and again, once for all of it.
struct StandingTable {
  std::int64_t runs = 100;  ///< clean and independent, of one fingerprint
  std::int64_t days = 7;    ///< within these last days
  std::int64_t distinct_days = 3;
  std::int64_t ttl_ns = 0;         ///< of a grant
  std::int64_t resample = 25;      ///< a person is asked all the same for one in so many
  std::vector<std::string> roles;  ///< who may grant
};

/// [skip]: what is promoted without a person.
struct SkipTable {
  bool read_only = false;            ///< runs that were proved to write nothing
  std::vector<std::string> classes;  ///< of action files: green and reversible runs of these
};

/// [[test]]
struct PolicyTest {
  std::string name;
  std::string bundle;  ///< relative to the file that names it
  std::optional<Level> verdict;
  std::vector<std::string> rules;
  std::vector<std::string> not_rules;
  std::string place;
  std::string directory;  ///< of that file; empty: built in
};

/// Where a part of it came from.
struct PolicyFile {
  std::string path;
  std::string sha256;  ///< hex, of its text
  std::int64_t mtime_ns = 0;
};

struct Policy {
  std::vector<Rule> rules;  ///< in the order of the files
  std::vector<Exception> exceptions;
  std::map<std::string, std::int64_t> limits_per_hour;
  std::map<std::string, Approval> approvals;  ///< by level
  std::optional<OverrideTable> overriding;
  std::optional<StandingTable> standing;
  SkipTable skip;
  std::vector<std::string> stale_ignore;  ///< [promote]: path globs of what may move without being in the way
  std::vector<PolicyTest> tests;
  std::vector<PolicyFile> files;
  std::string canonical;  ///< RFC 8785
  std::string digest;     ///< "sha256:<hex>" of it
};

}  // namespace rehearse::verdict
