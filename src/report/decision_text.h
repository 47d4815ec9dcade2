// What people decided about a run and what was done with it, for people and documents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json_writer.h"

namespace rehearse::report {

/// What a person decided about the run. Not part of run.json: the ledger has it.
struct DecisionRecord {
  std::int64_t id = 0;
  std::string run;
  std::string digest;
  std::string policy;        ///< digest of the one in force then
  std::string verb;          ///< approved, rejected, revoked, overridden, reviewed, skipped
  std::uint32_t person = 0;  ///< uid
  std::string name;          ///< of that person on this host now; may be empty
  std::optional<std::string> tty;
  std::optional<std::string> unit;
  std::string reason;
  std::string ticket;
  std::int64_t created_ns = 0;
  std::int64_t expires_ns = 0;     ///< 0: never; likewise the next
  std::int64_t review_due_ns = 0;  ///< of an override
  std::int64_t about = 0;          ///< another decision, or a grant
  std::string used_by;             ///< promotion that used it up
};
/// What was done with it since.
struct PromotionRecord {
  std::string id;             ///< "RUN/N"
  std::string kind;           ///< promote, rollback
  std::int64_t decision = 0;  ///< that it rests on
  std::uint32_t person = 0;   ///< uid
  std::string name;           ///< as above
  std::int64_t started_ns = 0;
  std::int64_t finished_ns = 0;  ///< 0: it has not ended
  std::string result;            ///< begun, done, rolled back, incomplete
  std::uint64_t operations = 0;
  std::string detail;  ///< why, if it is not done
};
struct Decided {
  std::vector<DecisionRecord> decisions;    ///< oldest first
  std::vector<PromotionRecord> promotions;  ///< likewise
  bool in_effect = false;                   ///< of what the run did, or a part of it, the host has now
  /// By the policy in force, one line: who may let the run pass, and for how long. Empty: nobody asked.
  std::string approval_rule;
};

/// "ann (uid 1001)", "uid 1001".
std::string person_text(std::uint32_t uid, const std::string& name);

/// "  approved    by ann (uid 1001), /dev/pts/1, at ..., until ...; used by RUN/1\n             reason" and
/// so on, promotions and rollbacks among the decisions, oldest first; escaped. Empty if there are none.
std::string decided_text(const Decided& decided, std::size_t columns);
/// The newest of them in one line, without its reason; empty if there are none.
std::string latest_text(const Decided& decided);

/// Members `decisions`, `promotions` and `approval_rule` of a document; none of what is not known.
void write_decided(JsonWriter& json, const Decided& decided);
/// The members of one decision, within an object.
void write_decision(JsonWriter& json, const DecisionRecord& decision);

}  // namespace rehearse::report
