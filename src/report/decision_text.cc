#include "report/decision_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "report/text_width.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kIndent = 13;
constexpr std::size_t kReasonLimit = 4096;

/// Its line, and what stands below it.
struct Entry {
  std::int64_t at_ns = 0;
  std::string line;
  std::vector<std::string> more;
};

Entry entry_of(const DecisionRecord& decision) {
  Entry entry{decision.created_ns, {}, {}};
  entry.line = fmt::format("{:<10} by {}", escape_text(decision.verb, 32),
                           person_text(decision.person, decision.name));
  if (decision.tty) entry.line += ", " + escape_text(*decision.tty, 64);
  if (decision.unit) entry.line += ", " + escape_text(*decision.unit, 128);
  entry.line += ", at " + rfc3339(decision.created_ns);
  if (decision.expires_ns != 0) entry.line += ", until " + rfc3339(decision.expires_ns);
  if (!decision.used_by.empty()) entry.line += ", used by " + escape_text(decision.used_by, 64);
  entry.more.push_back(escape_text(decision.reason, kReasonLimit));
  if (!decision.ticket.empty()) entry.more.push_back("ticket " + escape_text(decision.ticket, 256));
  if (decision.review_due_ns != 0) entry.more.push_back("review due " + rfc3339(decision.review_due_ns));
  if (!decision.policy.empty()) entry.more.push_back("policy " + escape_text(decision.policy, 80));
  return entry;
}

Entry entry_of(const PromotionRecord& promotion) {
  Entry entry{promotion.started_ns, {}, {}};
  const bool back = promotion.kind == "rollback";
  const std::string word =
      promotion.result == "done" ? (back ? "taken back" : "promoted") : (back ? "rollback" : "promotion");
  entry.line = fmt::format("{:<10} by {}, at {}", word, person_text(promotion.person, promotion.name),
                           rfc3339(promotion.started_ns));
  if (promotion.result == "begun")
    entry.line += ": not ended";
  else if (promotion.result != "done")
    entry.line += ": " + escape_text(promotion.result, 32);
  entry.line += fmt::format(", {} operation{}", promotion.operations, promotion.operations == 1 ? "" : "s");
  if (!promotion.detail.empty()) entry.more.push_back(escape_text(promotion.detail, kReasonLimit));
  return entry;
}

std::vector<Entry> entries_of(const Decided& decided) {
  std::vector<Entry> entries;
  for (const DecisionRecord& decision : decided.decisions) entries.push_back(entry_of(decision));
  for (const PromotionRecord& promotion : decided.promotions) entries.push_back(entry_of(promotion));
  std::ranges::stable_sort(entries, {}, &Entry::at_ns);
  return entries;
}

void time_member(JsonWriter& json, const char* name, std::int64_t ns) {
  json.key(name);
  if (ns == 0)
    json.null();
  else
    json.string(rfc3339(ns));
}

void text_member(JsonWriter& json, const char* name, const std::optional<std::string>& text) {
  if (text)
    json.bytes(name, *text);
  else
    json.key(name).null();
}

}  // namespace

std::string person_text(std::uint32_t uid, const std::string& name) {
  if (name.empty()) return fmt::format("uid {}", uid);
  return fmt::format("{} (uid {})", escape_text(name, 64), uid);
}

std::string decided_text(const Decided& decided, std::size_t columns) {
  std::string out;
  for (const Entry& entry : entries_of(decided)) {
    out += wrap(entry.line, 2, columns);
    for (const std::string& line : entry.more) out += wrap(line, kIndent, columns);
  }
  return out;
}

std::string latest_text(const Decided& decided) {
  const auto entries = entries_of(decided);
  if (entries.empty()) return {};
  // The newest may be about a part, or have come to nothing.
  return entries.back().line + (decided.in_effect ? "; in effect on the host" : "");
}

void write_decision(JsonWriter& json, const DecisionRecord& decision) {
  json.key("id").integer(decision.id).bytes("run", decision.run).bytes("digest", decision.digest);
  json.bytes("policy_digest", decision.policy).bytes("verb", decision.verb);
  json.key("uid").integer(std::uint64_t{decision.person});
  text_member(json, "tty", decision.tty);
  text_member(json, "unit", decision.unit);
  json.bytes("reason", decision.reason).bytes("ticket", decision.ticket);
  time_member(json, "created", decision.created_ns);
  time_member(json, "expires", decision.expires_ns);
  time_member(json, "review_due", decision.review_due_ns);
  json.key("about").integer(decision.about).bytes("used_by", decision.used_by);
}

void write_decided(JsonWriter& json, const Decided& decided) {
  if (!decided.approval_rule.empty()) json.bytes("approval_rule", decided.approval_rule);
  if (decided.decisions.empty() && decided.promotions.empty()) return;
  json.key("decisions").open_array();
  for (const DecisionRecord& decision : decided.decisions) {
    json.open_object();
    write_decision(json, decision);
    json.close_object();
  }
  json.close_array().key("promotions").open_array();
  for (const PromotionRecord& promotion : decided.promotions) {
    json.open_object().bytes("id", promotion.id).bytes("kind", promotion.kind);
    json.key("decision").integer(promotion.decision).key("uid").integer(std::uint64_t{promotion.person});
    time_member(json, "started", promotion.started_ns);
    time_member(json, "finished", promotion.finished_ns);
    json.bytes("result", promotion.result).key("operations").integer(promotion.operations);
    json.bytes("detail", promotion.detail).close_object();
  }
  json.close_array().key("in_effect").boolean(decided.in_effect);
}

}  // namespace rehearse::report
