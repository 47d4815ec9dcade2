// Each rule of a policy against one run, for who asks why: as text and as JSON (schema "rehearse.explain/1").
#pragma once

#include <string>

#include "report/decision_text.h"
#include "report/run_record.h"
#include "report/style.h"
#include "verdict/judge.h"
#include "verdict/policy.h"

namespace rehearse::report {

struct ExplainOptions {
  std::string rule;  ///< this one only, with everything about it; empty: all
  bool all = false;  ///< also those that do not hold
};

std::string explain_text(const RunRecord& record, const verdict::Policy& policy,
                         const verdict::Judgement& judgement, const ExplainOptions& options,
                         const Style& style);
std::string explain_json(const RunRecord& record, const verdict::Policy& policy,
                         const verdict::Judgement& judgement, const ExplainOptions& options);

/// What a verdict rests on: which data, which policy, which exceptions and whose, and how to look again.
/// `current`: digest of the policy in force now, or empty where it cannot be read.
std::string why_text(const RunRecord& record, const std::string& current, const std::string& command_start,
                     const std::string& bundle, const Style& style);
std::string why_json(const RunRecord& record, const std::string& current, const Decided& decided);

}  // namespace rehearse::report
