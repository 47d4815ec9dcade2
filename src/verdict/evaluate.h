// What each rule of a policy makes of a run. Every rule is evaluated, none cuts another short.
//
// Three-valued: a rule is true, false, or unknown, since a fact that it asks for is not known. Pure but for
// the streams it is given; the same policy and facts give the same results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "verdict/facts.h"
#include "verdict/policy.h"

namespace rehearse::verdict {

enum class Truth : std::uint8_t { kFalse, kUnknown, kTrue };
const char* to_string(Truth truth);

/// Of so many facts evidence is kept of every rule, and up to kMostEvidence as long as there is room for
/// kEvidenceBytes in all.
inline constexpr std::size_t kLeastEvidence = 20;
inline constexpr std::size_t kMostEvidence = 1000;
inline constexpr std::size_t kEvidenceBytes = std::size_t{16} << 20U;

/// What came of one match table.
struct TableResult {
  Truth truth = Truth::kFalse;
  std::uint64_t count = 0;         ///< facts that meet all conditions; of an envelope: those outside
  std::uint64_t maybe = 0;         ///< facts of which that is not known
  std::vector<Evidence> evidence;  ///< the first of those counted
  std::string unknown;             ///< why it is unknown
};

/// How often an exception took a fact out, or would have.
struct ExceptionUse {
  std::size_t exception = 0;  ///< index into the policy
  std::uint64_t count = 0;
};

struct RuleResult {
  Truth truth = Truth::kFalse;
  std::string error;                ///< the evaluation failed
  std::vector<TableResult> tables;  ///< as in the rule
  TableResult only;                 ///< if it has an envelope
  std::vector<ExceptionUse> exceptions;
};

struct Evaluation {
  std::vector<RuleResult> rules;  ///< as in the policy
};

/// What a table comes to whose `result` has counted all facts there were; of `maybe` more it is not known
/// whether they match, and `unknown` says why there may be others (empty: there are none).
void settle(const MatchTable& table, std::uint64_t maybe, const std::string& unknown, TableResult& result);

Evaluation evaluate(const Policy& policy, const PolicyFacts& facts);

/// Why an exception does not apply to a run, in a few words; empty: it does.
std::string refusal(const Exception& exception, const PolicyFacts& facts);

}  // namespace rehearse::verdict
