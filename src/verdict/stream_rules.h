// The rules over streamed facts (changes of files, files read), compiled: all path globs in one tree, all
// words and truths of a fact in one number, so that a rule is asked only of facts that its globs match.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "verdict/evaluate.h"
#include "verdict/path_globs.h"

namespace rehearse::verdict {

class StreamRules {
 public:
  /// `evaluation` has a result for every rule and table; what is found is added to it.
  StreamRules(const Policy& policy, const PolicyFacts& facts, Subject subject, Evaluation& evaluation);
  StreamRules(const StreamRules&) = delete;
  StreamRules& operator=(const StreamRules&) = delete;

  /// No rule asks for this subject.
  [[nodiscard]] bool empty() const { return tables_.empty() && envelopes_.empty(); }
  void add(const StreamFact& fact);
  /// After the last fact. `error`: of the stream; empty: there was none.
  void finish(const std::string& error);

 private:
  static constexpr std::uint32_t kNoGlob = UINT32_MAX;
  /// An exception as it meets the facts of one table.
  struct Excepting {
    ExceptionUse* use = nullptr;
    std::uint32_t glob = kNoGlob;  ///< none: it excepts every fact
    bool applies = false;          ///< false: only counted
  };
  struct Table {
    RuleResult* rule = nullptr;
    TableResult* result = nullptr;
    const MatchTable* from = nullptr;
    std::vector<std::uint64_t> any;  ///< of each, one bit at least
    std::uint64_t none = 0;          ///< none of these bits
    std::vector<std::uint32_t> not_paths;
    std::vector<const Condition*> slow;
    std::vector<Excepting> exceptions;
    std::uint64_t asked = 0;  ///< number of the fact it was last asked of
  };
  struct Envelope {
    RuleResult* rule = nullptr;
    TableResult* result = nullptr;
    std::uint64_t within = 0;
    std::uint64_t asked = 0;
  };
  /// Of a glob: the fact that it matched last, and how.
  struct Hit {
    std::uint64_t fact = 0;
    std::uint64_t exact_fact = 0;
    std::uint8_t exact = 0;  ///< of the fact's paths, those it matched themselves
  };
  using ByGlob = std::vector<std::vector<std::uint32_t>>;

  void compile(const MatchTable& table, RuleResult& result, TableResult& into);
  void compile_condition(const Condition& condition, Table& table, std::vector<std::string>& paths) const;
  void add_envelope(const verdict::Envelope& only, RuleResult& result);
  std::uint32_t glob(const std::string& text);
  void match(const StreamFact& fact);
  void note(const std::vector<std::uint32_t>& globs, bool exact);
  [[nodiscard]] bool matched_whole(std::uint32_t glob) const;
  void ask(Table& table, const StreamFact& fact);
  [[nodiscard]] bool meets(const Condition& condition, const StreamFact& fact) const;
  bool is_excepted(Table& table);
  void ask_envelopes(const StreamFact& fact);
  void keep_evidence(TableResult& result, const StreamFact& fact);

  const Policy& policy_;
  const PolicyFacts& facts_;
  Subject subject_;
  PathGlobs globs_;
  std::vector<Table> tables_;
  std::vector<Envelope> envelopes_;
  ByGlob tables_of_;
  ByGlob envelopes_of_;
  std::vector<std::uint32_t> without_path_;  ///< tables that are asked of every fact
  std::vector<std::uint32_t> wanting_;       ///< envelopes that still keep evidence
  std::unique_ptr<PathMatcher> matcher_;
  std::vector<Hit> hits_;             ///< by glob
  std::vector<std::uint32_t> found_;  ///< globs that match the fact, each once
  std::uint64_t fact_ = 0;
  std::uint8_t paths_ = 1;  ///< that the fact has
  std::uint64_t effects_ = 0;
  std::uint64_t noise_ = 0;
  std::size_t evidence_bytes_ = 0;
};

}  // namespace rehearse::verdict
