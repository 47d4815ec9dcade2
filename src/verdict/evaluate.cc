#include "verdict/evaluate.h"

#include <algorithm>
#include <memory>
#include <span>
#include <unordered_map>

#include "verdict/path_globs.h"
#include "verdict/stream_rules.h"
#include "verdict/wildcard.h"

namespace rehearse::verdict {
namespace {

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const std::string& p) { return wildcard_matches(p, text); });
}

/// The path globs of one condition, made ready once for many facts.
class CompiledPaths {
 public:
  explicit CompiledPaths(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) globs_.add(pattern);
    matcher_ = std::make_unique<PathMatcher>(globs_);
  }
  CompiledPaths(const CompiledPaths&) = delete;
  CompiledPaths& operator=(const CompiledPaths&) = delete;
  bool match(const std::string& path) { return path.starts_with('/') && !matcher_->match(path).empty(); }

 private:
  PathGlobs globs_;
  std::unique_ptr<PathMatcher> matcher_;
};
/// By condition of a table; none of those that are no paths.
using TablePaths = std::vector<std::unique_ptr<CompiledPaths>>;

Truth from(bool truth) {
  return truth ? Truth::kTrue : Truth::kFalse;
}

Truth negate(Truth truth) {
  return truth == Truth::kUnknown ? truth : from(truth == Truth::kFalse);
}

/// One condition on one fact.
Truth meets(const Condition& condition, CompiledPaths* paths, const Value& value) {
  Truth holds = Truth::kUnknown;
  if (const bool* flag = std::get_if<bool>(&value)) {
    holds = from(*flag == condition.flag);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    holds = from(std::ranges::any_of(
        condition.ranges, [&](const Range& range) { return *number >= range.low && *number <= range.high; }));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    holds = from(paths != nullptr ? paths->match(*text) : matches_any(condition.patterns, *text));
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    holds = from(std::ranges::any_of(
        *texts, [&](const std::string& one) { return matches_any(condition.patterns, one); }));
  }
  return condition.negated ? negate(holds) : holds;
}

TablePaths compile_paths(const MatchTable& table, std::span<const Key> keys) {
  TablePaths paths;
  for (const Condition& condition : table.conditions)
    paths.push_back(keys[condition.key].kind == KeyKind::kPath
                        ? std::make_unique<CompiledPaths>(condition.patterns)
                        : nullptr);
  return paths;
}

Truth meets_all(const MatchTable& table, const TablePaths& paths, const Row& row) {
  Truth all = Truth::kTrue;
  for (std::size_t i = 0; i < table.conditions.size(); ++i) {
    const Condition& condition = table.conditions[i];
    all = std::min(all, meets(condition, paths[i].get(), row.values[condition.key]));
  }
  return all;
}

const Value* value_of(Subject subject, const Row& row, std::string_view key) {
  const auto keys = keys_of(subject).keys;
  const auto found = std::ranges::find(keys, key, &Key::name);
  return found == keys.end() ? nullptr : &row.values[static_cast<std::size_t>(found - keys.begin())];
}

std::string text_of(Subject subject, const Row& row, std::string_view key) {
  const Value* value = value_of(subject, row, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string() : *text;
}

/// What an exception's `name` is compared with.
std::vector<std::string> names_of(Subject subject, const Row& row) {
  std::vector<std::string> names;
  for (const std::string_view key : {"name", "unit", "what", "exe", "gap"}) {
    const std::string text = text_of(subject, row, key);
    if (!text.empty()) names.push_back(text);
  }
  if (const Value* to = value_of(subject, row, "to"); to != nullptr) {
    if (const auto* all = std::get_if<std::vector<std::string>>(to))
      names.insert(names.end(), all->begin(), all->end());
  }
  return names;
}

class RowRules {
 public:
  RowRules(const Policy& policy, const PolicyFacts& facts) : policy_(policy), facts_(facts) {}

  void table(const MatchTable& table, RuleResult& rule, TableResult& result) {
    const Rows& rows = facts_.of(table.subject);
    const TablePaths paths = compile_paths(table, keys_of(table.subject).keys);
    std::uint64_t maybe = 0;
    for (const Row& row : rows.rows) {
      const Truth truth = meets_all(table, paths, row);
      if (truth == Truth::kFalse || excepted(table.subject, row, rule)) continue;
      if (truth == Truth::kUnknown) {
        ++maybe;
        continue;
      }
      ++result.count;
      keep(table.subject, row, result);
    }
    settle(table, maybe, rows.unknown, result);
  }

  /// The parts of an envelope that are no files. Makes `result`, which has come of the files, no better.
  void envelope(const Envelope& only, TableResult& result) {
    part(Subject::kUnit, only.units, result, [](const Row& row) -> std::string {
      const std::string request = text_of(Subject::kUnit, row, "request");
      if (request == "query" || text_of(Subject::kUnit, row, "answered") == "refused") return {};
      return text_of(Subject::kUnit, row, "unit") + ':' + request;
    });
    part(Subject::kPrivilege, only.privileged, result,
         [](const Row& row) { return text_of(Subject::kPrivilege, row, "what"); });
    part(Subject::kAccount, only.accounts, result, [](const Row& row) {
      return text_of(Subject::kAccount, row, "what") + ':' + text_of(Subject::kAccount, row, "name");
    });
    part(Subject::kPackage, only.packages, result, [](const Row& row) {
      return text_of(Subject::kPackage, row, "what") + ':' + text_of(Subject::kPackage, row, "name");
    });
    network(only.net, result);
  }

 private:
  template <class Name>
  void part(Subject subject, const std::vector<std::string>& patterns, TableResult& result, Name name) {
    for (const Row& row : facts_.of(subject).rows) {
      const std::string text = name(row);
      if (!text.empty() && !matches_any(patterns, text)) outside(subject, row, result);
    }
    blur(subject, result);
  }

  void network(const std::vector<std::string>& patterns, TableResult& result) {
    for (const Row& row : facts_.of(Subject::kNet).rows) {
      const std::string verdict = text_of(Subject::kNet, row, "verdict");
      if (verdict == "absent") continue;  // the host has nothing there either
      // Who else is on this host could do without it.
      if (verdict == "listening" && text_of(Subject::kNet, row, "scope") == "local") continue;
      const auto* to = std::get_if<std::vector<std::string>>(value_of(Subject::kNet, row, "to"));
      const bool inside = to != nullptr && std::ranges::any_of(*to, [&](const std::string& one) {
                            return matches_any(patterns, one);
                          });
      if (!inside) outside(Subject::kNet, row, result);
    }
    blur(Subject::kNet, result);
  }

  void outside(Subject subject, const Row& row, TableResult& result) {
    ++result.count;
    keep(subject, row, result);
    result.truth = Truth::kFalse;
    result.unknown.clear();
  }

  void blur(Subject subject, TableResult& result) {
    if (facts_.of(subject).unknown.empty() || result.truth != Truth::kTrue) return;
    result.truth = Truth::kUnknown;
    result.unknown = facts_.of(subject).unknown;
  }

  void keep(Subject subject, const Row& row, TableResult& result) {
    const std::size_t kept = result.evidence.size();
    if (kept >= kMostEvidence || (kept >= kLeastEvidence && bytes_ >= kEvidenceBytes)) return;
    result.evidence.push_back({std::string(keys_of(subject).name), row.text});
    bytes_ += row.text.size() + sizeof(Evidence);
  }

  bool excepted(Subject subject, const Row& row, RuleResult& rule) {
    bool taken = false;
    for (ExceptionUse& use : rule.exceptions) {
      const Exception& exception = policy_.exceptions[use.exception];
      if (exception.name.empty() ? !exception.path.empty()
                                 : std::ranges::none_of(names_of(subject, row), [&](const std::string& name) {
                                     return wildcard_matches(exception.name, name);
                                   }))
        continue;
      ++use.count;
      taken = taken || refusal(exception, facts_).empty();
    }
    return taken;
  }

  const Policy& policy_;
  const PolicyFacts& facts_;
  std::size_t bytes_ = 0;
};

void stream(const Policy& policy, const PolicyFacts& facts, Subject subject, const Stream& from,
            Evaluation& evaluation) {
  StreamRules rules(policy, facts, subject, evaluation);
  if (rules.empty()) return;
  std::string error;
  if (from) {
    const auto read = from([&](const StreamFact& fact) {
      rules.add(fact);
      return true;
    });
    if (!read) error = read.error().what;
  }
  rules.finish(error);
}

}  // namespace

const char* to_string(Truth truth) {
  return truth == Truth::kTrue ? "true" : truth == Truth::kFalse ? "false" : "unknown";
}

const char* to_string(Enforce enforce) {
  return enforce == Enforce::kAdvisory ? "advisory" : enforce == Enforce::kSoft ? "soft" : "hard";
}

std::string refusal(const Exception& exception, const PolicyFacts& facts) {
  if (!facts.clock_trusted)
    return "this host's clock has gone back, so that nobody knows whether it has expired";
  if (exception.expires_ns <= facts.created_ns) return "it expired on " + exception.expires;
  return {};
}

Evaluation evaluate(const Policy& policy, const PolicyFacts& facts) {
  Evaluation evaluation;
  evaluation.rules.resize(policy.rules.size());
  for (std::size_t i = 0; i < policy.rules.size(); ++i)
    evaluation.rules[i].tables.resize(policy.rules[i].tables.size());
  std::unordered_map<std::string_view, std::size_t> by_id;
  if (!policy.exceptions.empty()) {
    for (std::size_t i = 0; i < policy.rules.size(); ++i) by_id.emplace(policy.rules[i].id, i);
  }
  for (std::size_t e = 0; e < policy.exceptions.size(); ++e) {
    const Exception& exception = policy.exceptions[e];
    const auto rule = by_id.find(exception.rule);
    if (rule != by_id.end() && (exception.action.empty() || exception.action == facts.action))
      evaluation.rules[rule->second].exceptions.push_back({e, 0});
  }
  stream(policy, facts, Subject::kFile, facts.changes, evaluation);
  stream(policy, facts, Subject::kRead, facts.reads, evaluation);
  RowRules rows(policy, facts);
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    RuleResult& result = evaluation.rules[i];
    result.truth = Truth::kTrue;
    for (std::size_t t = 0; t < rule.tables.size(); ++t) {
      if (!is_streamed(rule.tables[t].subject)) rows.table(rule.tables[t], result, result.tables[t]);
      result.truth = std::min(result.truth, result.tables[t].truth);
    }
    if (!rule.only) continue;
    rows.envelope(*rule.only, result.only);
    result.truth = std::min(result.truth, result.only.truth);
  }
  return evaluation;
}

}  // namespace rehearse::verdict
