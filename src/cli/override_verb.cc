// rehearse override RUN@DIGEST: lets a run pass without approval when there is no time for one.
// rehearse review RUN: what somebody else thinks of it afterwards.

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/decider.h"
#include "cli/verb_support.h"

namespace rehearse::cli {
namespace {

constexpr std::size_t kMostTicket = 200;

/// A length of time from now, or a point: "2h", "2026-11-29T18:00:00Z".
Result<std::int64_t> parse_time(const std::string& text, const char* option, std::int64_t now_ns) {
  if (const auto length = parse_duration(text)) return later(now_ns, *length);
  if (const auto point = parse_rfc3339(text)) return *point;
  return fail(fmt::format("{}: \"{}\" is neither a length of time nor a point", option, text.substr(0, 60)),
              ExitCode::kUsage, "write 2h, or 2026-11-29T18:00:00Z");
}

}  // namespace

Result<int> override_verb(Globals& globals, Arguments arguments) {
  std::string run, reason, ticket, until, review;
  CommandLine line("Let a run pass without approval, for a while and to be reviewed", "override", globals);
  line.option("RUN@DIGEST", run, "The run and its digest, as the report prints them").required();
  line.option("--reason", reason, "Why there is no time; kept in the ledger").required().type_name("TEXT");
  line.option("--ticket", ticket, "Of the incident").required().type_name("ID");
  line.option("--until", until, "How long it holds: 2h, or 2026-11-29T18:00:00Z")
      .required()
      .type_name("TIME");
  line.option("--review-due", review, "When it is to be reviewed (default: as the policy says)")
      .type_name("TIME");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_CHECK(check_reason(reason));
  if (ticket.empty() || ticket.size() > kMostTicket)
    return fail("--ticket wants 1 to 200 bytes of text", ExitCode::kUsage, "name the incident");

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(Desk desk, open_desk(state, run));
  RH_CHECK(promote::check_policy(desk.matter()));
  RH_CHECK(promote::may_override(desk.matter(), desk.decider));
  const verdict::OverrideTable& table = *desk.policy.overriding;
  ledger::Decision decision = desk.begin(ledger::Verb::kOverridden, reason);
  decision.ticket = ticket;
  RH_TRY(decision.expires_ns, parse_time(until, "--until", desk.now_ns));
  if (decision.expires_ns <= desk.now_ns)
    return fail("--until " + rfc3339(decision.expires_ns) + " is over", ExitCode::kUsage,
                "name a later time");
  if (decision.expires_ns - desk.now_ns > table.max_ttl_ns)
    return fail("--until: the policy lets an override hold " + format_duration(table.max_ttl_ns),
                ExitCode::kUsage, "ask for less");
  decision.review_due_ns = desk.now_ns + table.review_within_ns;
  if (!review.empty()) {
    RH_TRY(const std::int64_t due, parse_time(review, "--review-due", desk.now_ns));
    if (due > decision.review_due_ns)
      return fail(
          "--review-due: the policy wants it reviewed within " + format_duration(table.review_within_ns),
          ExitCode::kUsage, "name an earlier time");
    decision.review_due_ns = due;
  }
  RH_TRY(decision.id, desk.decisions.add(decision));
  return print_decision(
      globals, decision,
      fmt::format("overridden until {}, once; to be reviewed by {}\nnext  rehearse {}promote {}@{}\n",
                  rfc3339(decision.expires_ns), rfc3339(decision.review_due_ns), state_option(globals),
                  decision.run, decision.digest));
}

Result<int> review_verb(Globals& globals, Arguments arguments) {
  std::string run, reason;
  CommandLine line("Record what came of reviewing an override", "review", globals);
  line.option("RUN", run, "Run id, or the unique start of one").required();
  line.option("--reason", reason, "What was found; kept in the ledger").required().type_name("TEXT");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_CHECK(check_reason(reason));
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const promote::Decider decider, this_decider());
  RH_CHECK(promote::may_decide(decider.who));
  RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state));
  const std::int64_t now = realtime_ns();
  RH_TRY(const auto newest, decisions.newest());
  RH_CHECK(promote::check_clock(newest, now));
  RH_TRY(const auto all, decisions.overrides());
  RH_TRY(const ledger::Decision* open, promote::unreviewed_of(all, run));
  RH_CHECK(promote::may_review(*open, decider));
  ledger::Decision decision = *open;
  decision.verb = ledger::Verb::kReviewed;
  decision.who = decider.who;
  decision.person = decider.person.uid;
  decision.reason = reason;
  decision.created_ns = now;
  decision.expires_ns = 0;
  decision.review_due_ns = 0;
  decision.about = open->id;
  RH_TRY(decision.id, decisions.add(decision));
  return print_decision(globals, decision, "reviewed\n");
}

}  // namespace rehearse::cli
