#include "cli/decision_text.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "host/people.h"
#include "promote/decision.h"

namespace rehearse::cli {
namespace {

using ledger::Decision;
using ledger::Verb;

std::string from_where(const Decision& decision) {
  std::string text;
  if (decision.who.tty) text += ", " + escape_text(*decision.who.tty, 64);
  if (decision.who.unit) text += ", " + escape_text(*decision.who.unit, 128);
  return text;
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

void members(JsonWriter& json, const Decision& decision) {
  json.key("id").integer(decision.id).bytes("run", decision.run).bytes("digest", decision.digest);
  json.bytes("policy_digest", decision.policy).key("verb").string(ledger::to_string(decision.verb));
  json.key("uid").integer(std::uint64_t{decision.person});
  text_member(json, "tty", decision.who.tty);
  text_member(json, "unit", decision.who.unit);
  json.bytes("reason", decision.reason).bytes("ticket", decision.ticket);
  time_member(json, "created", decision.created_ns);
  time_member(json, "expires", decision.expires_ns);
  time_member(json, "review_due", decision.review_due_ns);
  json.key("about").integer(decision.about).bytes("used_by", decision.used_by);
}

}  // namespace

std::string person_text(std::uint32_t uid) {
  const auto person = host::find_person(uid);
  if (!person || person->name.empty()) return fmt::format("uid {}", uid);
  return fmt::format("{} (uid {})", escape_text(person->name, 64), uid);
}

std::string decisions_text(std::span<const Decision> decisions) {
  std::string out;
  for (const Decision& decision : decisions) {
    out += fmt::format("  {:<10} by {}{}, at {}", ledger::to_string(decision.verb),
                       person_text(decision.person), from_where(decision), rfc3339(decision.created_ns));
    if (decision.expires_ns != 0) out += ", until " + rfc3339(decision.expires_ns);
    if (!decision.used_by.empty()) out += ", used by " + escape_text(decision.used_by, 64);
    out += '\n';
    const auto more = [&out](const std::string& text) { out += "             " + text + '\n'; };
    more(escape_text(decision.reason, 4096));
    if (!decision.ticket.empty()) more("ticket " + escape_text(decision.ticket, 256));
    if (decision.review_due_ns != 0) more("review due " + rfc3339(decision.review_due_ns));
    if (!decision.policy.empty()) more("policy " + escape_text(decision.policy, 80));
  }
  return out;
}

std::string decisions_json(std::span<const Decision> decisions) {
  std::string text;
  JsonWriter json(text);
  json.open_array();
  for (const Decision& decision : decisions) {
    json.open_object();
    members(json, decision);
    json.close_object();
  }
  json.close_array();
  return text;
}

const char* review_state(std::span<const Decision> all, const Decision& override_of, std::int64_t now_ns) {
  if (promote::is_reviewed(all, override_of)) return "reviewed";
  return override_of.review_due_ns < now_ns ? "OVERDUE" : "awaits review";
}

std::string overrides_text(std::span<const Decision> all, std::int64_t now_ns) {
  std::string out;
  for (const Decision& decision : all) {
    if (decision.verb != Verb::kOverridden) continue;
    out += fmt::format("{:<13}  {}  due {}\n", review_state(all, decision, now_ns),
                       escape_text(decision.run, 64), rfc3339(decision.review_due_ns));
    out += decisions_text({&decision, 1});
    for (const Decision& review : all)
      if (review.verb == Verb::kReviewed && review.about == decision.id) out += decisions_text({&review, 1});
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
    members(json, decision);
    json.key("state").string(review_state(all, decision, now_ns)).close_object();
  }
  json.close_array().close_object();
  return text + '\n';
}

}  // namespace rehearse::cli
