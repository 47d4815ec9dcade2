#include "cli/decision_text.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "host/people.h"
#include "promote/decision.h"
#include "promote/in_effect.h"
#include "report/decision_text.h"

namespace rehearse::cli {
namespace {

using ledger::Decision;
using ledger::Verb;

std::string name_of(std::uint32_t uid) {
  const auto person = host::find_person(uid);
  return person ? person->name : std::string();
}

report::PromotionRecord promotion_record(const ledger::PromotionRow& row) {
  report::PromotionRecord record;
  record.id = row.id;
  record.kind = row.kind;
  record.decision = row.decision;
  record.person = promote::person_of(row.who);
  record.name = name_of(record.person);
  record.started_ns = row.started_ns;
  record.finished_ns = row.finished_ns;
  record.result = row.result;
  record.operations = row.operations;
  record.detail = row.detail;
  return record;
}

const char* review_state(std::span<const Decision> all, const Decision& override_of, std::int64_t now_ns) {
  if (promote::is_reviewed(all, override_of)) return "reviewed";
  return override_of.review_due_ns < now_ns ? "OVERDUE" : "awaits review";
}

}  // namespace

std::string person_text(std::uint32_t uid) {
  return report::person_text(uid, name_of(uid));
}

report::DecisionRecord decision_record(const Decision& decision) {
  report::DecisionRecord record;
  record.id = decision.id;
  record.run = decision.run;
  record.digest = decision.digest;
  record.policy = decision.policy;
  record.verb = ledger::to_string(decision.verb);
  record.person = decision.person;
  record.name = name_of(decision.person);
  record.tty = decision.who.tty;
  record.unit = decision.who.unit;
  record.reason = decision.reason;
  record.ticket = decision.ticket;
  record.created_ns = decision.created_ns;
  record.expires_ns = decision.expires_ns;
  record.review_due_ns = decision.review_due_ns;
  record.about = decision.about;
  record.used_by = decision.used_by;
  return record;
}

bool is_promoted(const ledger::StateDir& state, const std::string& run) {
  const auto bundle = state.open_run(run);
  return bundle && promote::is_in_effect(*bundle).value_or(false);
}

report::Decided decided_about(const ledger::StateDir& state, const std::string& run) {
  report::Decided decided;
  auto ledger = ledger::Decisions::open(state);
  if (!ledger) return decided;
  if (const auto decisions = ledger->of_run(run)) {
    for (const Decision& decision : *decisions) decided.decisions.push_back(decision_record(decision));
  }
  if (const auto promotions = ledger->promotions_of(run)) {
    for (const ledger::PromotionRow& row : *promotions) decided.promotions.push_back(promotion_record(row));
  }
  decided.in_effect = !decided.promotions.empty() && is_promoted(state, run);
  return decided;
}

std::string overrides_text(std::span<const Decision> all, std::int64_t now_ns) {
  std::string out;
  for (const Decision& decision : all) {
    if (decision.verb != Verb::kOverridden) continue;
    out += fmt::format("{:<13}  {}  due {}\n", review_state(all, decision, now_ns),
                       escape_text(decision.run, 64), rfc3339(decision.review_due_ns));
    report::Decided about;
    about.decisions.push_back(decision_record(decision));
    for (const Decision& review : all)
      if (review.verb == Verb::kReviewed && review.about == decision.id)
        about.decisions.push_back(decision_record(review));
    out += report::decided_text(about, 0);
  }
  return out.empty() ? "no overrides\n" : out;
}

std::string overrides_json(std::span<const Decision> all, std::int64_t now_ns) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.overrides/1").key("overrides").open_array();
  for (const Decision& decision : all) {
    if (decision.verb != Verb::kOverridden) continue;
    json.open_object();
    report::write_decision(json, decision_record(decision));
    json.key("state").string(review_state(all, decision, now_ns)).close_object();
  }
  json.close_array().close_object();
  return text + '\n';
}

}  // namespace rehearse::cli
