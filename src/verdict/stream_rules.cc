#include "verdict/stream_rules.h"

#include <algorithm>

#include "verdict/wildcard.h"

namespace rehearse::verdict {
namespace {

std::uint64_t words_mask(Subject subject, std::size_t key, const std::vector<std::string>& words) {
  const std::string_view name = keys_of(subject).keys[key].name;
  std::uint64_t mask = 0;
  for (const std::string& word : words) mask |= bit_of(subject, name, word);
  return mask;
}

bool in_ranges(const std::vector<Range>& ranges, std::uint64_t value) {
  const auto number = static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
  return std::ranges::any_of(ranges, [&](const Range& r) { return number >= r.low && number <= r.high; });
}

/// A single path against few globs; of symlink targets.
bool path_in(const std::vector<std::string>& patterns, std::string_view path) {
  PathGlobs globs;
  for (const std::string& pattern : patterns) globs.add(pattern);
  return !PathMatcher(globs).match(path).empty();
}

}  // namespace

StreamRules::StreamRules(const Policy& policy, const PolicyFacts& facts, Subject subject,
                         Evaluation& evaluation)
    : policy_(policy), facts_(facts), subject_(subject) {
  if (subject == Subject::kFile) noise_ = bit_of(Subject::kFile, "noise");
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    RuleResult& result = evaluation.rules[i];
    for (std::size_t t = 0; t < rule.tables.size(); ++t) {
      if (rule.tables[t].subject == subject) compile(rule.tables[t], result, result.tables[t]);
    }
    if (rule.only && subject == Subject::kFile) add_envelope(*rule.only, result);
  }
  hits_.resize(globs_.size());
  tables_of_.resize(globs_.size());
  envelopes_of_.resize(globs_.size());
  matcher_ = std::make_unique<PathMatcher>(globs_);
}

std::uint32_t StreamRules::glob(const std::string& text) {
  const std::uint32_t number = globs_.add(text);
  tables_of_.resize(globs_.size());
  envelopes_of_.resize(globs_.size());
  return number;
}

void StreamRules::compile_condition(const Condition& condition, Table& table,
                                    std::vector<std::string>& paths) const {
  const Key& key = keys_of(subject_).keys[condition.key];
  if (key.kind == KeyKind::kWord) {
    const std::uint64_t mask = words_mask(subject_, condition.key, condition.patterns);
    if (condition.negated)
      table.none |= mask;
    else
      table.any.push_back(mask);
  } else if (key.kind == KeyKind::kBool) {
    const std::uint64_t bit = bit_of(subject_, key.name);
    if (condition.flag != condition.negated)
      table.any.push_back(bit);
    else
      table.none |= bit;
  } else if (stream_key(key.name) == StreamKey::kPath && !condition.negated) {
    paths = condition.patterns;
  } else if (stream_key(key.name) != StreamKey::kPath) {
    table.slow.push_back(&condition);
  }
}

void StreamRules::compile(const MatchTable& from, RuleResult& result, TableResult& into) {
  Table table;
  table.rule = &result;
  table.result = &into;
  table.from = &from;
  std::vector<std::string> paths;
  for (const Condition& condition : from.conditions) {
    compile_condition(condition, table, paths);
    if (condition.negated && keys_of(subject_).keys[condition.key].name == "path") {
      for (const std::string& text : condition.patterns) table.not_paths.push_back(glob(text));
    }
  }
  for (ExceptionUse& use : result.exceptions) {
    const Exception& exception = policy_.exceptions[use.exception];
    if (exception.path.empty() && !exception.name.empty()) continue;  // for other subjects
    table.exceptions.push_back(
        {&use, exception.path.empty() ? kNoGlob : glob(exception.path), refusal(exception, facts_).empty()});
  }
  const auto number = static_cast<std::uint32_t>(tables_.size());
  if (paths.empty()) without_path_.push_back(number);
  for (const std::string& text : paths) tables_of_[glob(text)].push_back(number);
  tables_.push_back(std::move(table));
}

void StreamRules::add_envelope(const verdict::Envelope& only, RuleResult& result) {
  const auto number = static_cast<std::uint32_t>(envelopes_.size());
  for (const std::string& text : only.files) envelopes_of_[glob(text)].push_back(number);
  envelopes_.push_back({&result, &result.only, 0, 0});
  wanting_.push_back(number);
}

void StreamRules::note(const std::vector<std::uint32_t>& globs, bool exact) {
  for (const std::uint32_t number : globs) {
    Hit& hit = hits_[number];
    if (std::exchange(hit.fact, fact_) != fact_) found_.push_back(number);
    if (!exact) continue;
    if (std::exchange(hit.exact_fact, fact_) != fact_) hit.exact = 0;
    ++hit.exact;
  }
}

void StreamRules::match(const StreamFact& fact) {
  ++fact_;
  found_.clear();
  paths_ = fact.from.empty() ? 1 : 2;
  note(matcher_->match(fact.path), true);
  if (fact.stands_for_below) note(matcher_->match(fact.path, true), false);
  if (fact.from.empty()) return;
  note(matcher_->match(fact.from), true);
  if (fact.stands_for_below) note(matcher_->match(fact.from, true), false);
}

/// It matches all paths of the fact, the old one of a renamed object too.
bool StreamRules::matched_whole(std::uint32_t glob) const {
  const Hit& hit = hits_[glob];
  return hit.exact_fact == fact_ && hit.exact == paths_;
}

bool StreamRules::meets(const Condition& condition, const StreamFact& fact) const {
  bool holds = false;
  switch (*stream_key(keys_of(subject_).keys[condition.key].name)) {
    case StreamKey::kPath:
      return true;
    case StreamKey::kTarget:
      holds = !fact.target.empty() && path_in(condition.patterns, fact.target);
      break;
    case StreamKey::kPackage:
      holds = std::ranges::any_of(condition.patterns, [&](const std::string& pattern) {
        return wildcard_matches(pattern, fact.package);
      });
      break;
    case StreamKey::kSize:
      holds = in_ranges(condition.ranges, fact.size);
      break;
    case StreamKey::kUid:
      holds = in_ranges(condition.ranges, fact.uid);
      break;
    case StreamKey::kGid:
      holds = in_ranges(condition.ranges, fact.gid);
      break;
  }
  return holds != condition.negated;
}

bool StreamRules::is_excepted(Table& table) {
  bool excepted = false;
  for (const Excepting& one : table.exceptions) {
    if (one.glob != kNoGlob && !matched_whole(one.glob)) continue;
    ++one.use->count;
    excepted = excepted || one.applies;
  }
  return excepted;
}

void StreamRules::keep_evidence(TableResult& result, const StreamFact& fact) {
  const std::size_t kept = result.evidence.size();
  if (kept >= kMostEvidence || (kept >= kLeastEvidence && evidence_bytes_ >= kEvidenceBytes)) return;
  result.evidence.push_back({"file", std::string(fact.path)});
  evidence_bytes_ += fact.path.size() + sizeof(Evidence);
}

void StreamRules::ask(Table& table, const StreamFact& fact) {
  if (std::exchange(table.asked, fact_) == fact_) return;
  if ((fact.words & table.none) != 0) return;
  for (const std::uint64_t mask : table.any) {
    if ((fact.words & mask) == 0) return;
  }
  for (const std::uint32_t number : table.not_paths) {
    if (matched_whole(number)) return;
  }
  for (const Condition* condition : table.slow) {
    if (!meets(*condition, fact)) return;
  }
  if (!table.exceptions.empty() && is_excepted(table)) return;
  ++table.result->count;
  keep_evidence(*table.result, fact);
}

void StreamRules::ask_envelopes(const StreamFact& fact) {
  ++effects_;
  std::size_t inside = 0;
  for (const std::uint32_t number : found_) {
    if (envelopes_of_[number].empty() || !matched_whole(number)) continue;
    for (const std::uint32_t which : envelopes_of_[number]) {
      Envelope& envelope = envelopes_[which];
      if (std::exchange(envelope.asked, fact_) == fact_) continue;
      ++envelope.within;
      ++inside;
    }
  }
  if (inside == envelopes_.size() || wanting_.empty()) return;
  std::erase_if(wanting_, [&](std::uint32_t which) {
    Envelope& envelope = envelopes_[which];
    if (envelope.asked != fact_) envelope.result->evidence.push_back({"file", std::string(fact.path)});
    return envelope.result->evidence.size() >= kLeastEvidence;
  });
}

void StreamRules::add(const StreamFact& fact) {
  match(fact);
  for (const std::uint32_t number : found_) {
    for (const std::uint32_t which : tables_of_[number]) ask(tables_[which], fact);
  }
  for (const std::uint32_t which : without_path_) ask(tables_[which], fact);
  if (!envelopes_.empty() && (fact.words & noise_) == 0) ask_envelopes(fact);
}

void StreamRules::finish(const std::string& error) {
  const std::string& unknown = facts_.of(subject_).unknown;
  for (Table& table : tables_) {
    if (!error.empty()) table.rule->error = error;
    settle(*table.from, 0, unknown, *table.result);
  }
  for (Envelope& envelope : envelopes_) {
    if (!error.empty()) envelope.rule->error = error;
    TableResult& result = *envelope.result;
    result.count = effects_ - envelope.within;
    // More facts could only lie outside.
    result.truth = result.count > 0 ? Truth::kFalse : unknown.empty() ? Truth::kTrue : Truth::kUnknown;
    if (result.truth == Truth::kUnknown) result.unknown = unknown;
  }
}

void settle(const MatchTable& table, std::uint64_t maybe, const std::string& unknown, TableResult& result) {
  result.maybe = maybe;
  const bool more = !unknown.empty();
  // The count may be anything from here to there.
  const bool certain = !more && maybe == 0;
  const bool enough = result.count >= table.at_least;
  const bool too_many = table.at_most && result.count > *table.at_most;
  const bool can_reach = more || result.count + maybe >= table.at_least;
  if (too_many || !can_reach) {
    result.truth = Truth::kFalse;
  } else if (enough && (certain || !table.at_most || (!more && result.count + maybe <= *table.at_most))) {
    result.truth = Truth::kTrue;
  } else {
    result.truth = Truth::kUnknown;
    result.unknown = more ? unknown : "a key of it is not known of this run";
  }
}

}  // namespace rehearse::verdict
