// rehearse approve|reject|revoke RUN@DIGEST --reason TEXT: a person's decision about what a run would do.

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/decider.h"
#include "cli/verb_support.h"
#include "promote/in_effect.h"
#include "promote/undo_trial.h"
#include "report/undo_text.h"

namespace rehearse::cli {
namespace {

struct Words {
  std::string run;
  std::string reason;
  std::string expires;
};

Result<bool> parse_words(Globals& globals, Arguments arguments, const char* verb, const char* about,
                         Words& words) {
  CommandLine line(about, verb, globals);
  line.option("RUN@DIGEST", words.run, "The run and its digest, as the report prints them").required();
  line.option("--reason", words.reason, "Why; kept in the ledger").required().type_name("TEXT");
  if (std::string_view(verb) == "approve")
    line.option("--expires", words.expires, "How long the approval holds (default: the policy's ttl, or 4h)")
        .type_name("TIME");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (go_on) RH_CHECK(check_reason(words.reason));
  return go_on;
}

Result<std::int64_t> lifetime(const Desk& desk, const std::string& asked) {
  const std::int64_t longest = promote::longest_approval(desk.matter());
  if (asked.empty()) return longest;
  RH_TRY(const std::int64_t wanted, of_option("--expires", parse_duration(asked)));
  if (wanted <= 0)
    return fail("--expires 0: such an approval would let nothing pass", ExitCode::kUsage,
                "say how long it is to hold: --expires 1h");
  if (wanted > longest)
    return fail(fmt::format("--expires {}: an approval of this run holds {} at most", asked.substr(0, 40),
                            format_duration(longest)),
                ExitCode::kUsage, "ask for less; the policy may say otherwise: ttl of [approval]");
  return wanted;
}

/// An approval is for a promotion to come: of a run that is promoted a person may have meant something else.
Result<std::string> note_in_effect(const Globals& globals, const ledger::Bundle& bundle) {
  RH_TRY(const std::string whole, promote::find_whole_in_effect(bundle));
  const std::string back = "rehearse " + state_option(globals) + "rollback " + bundle.id();
  if (!whole.empty())
    return "it is promoted already, by " + whole +
           ", and is in effect; it can be promoted anew after: " + back;
  RH_TRY(const bool part, promote::is_in_effect(bundle));
  if (!part) return std::string();
  return "a part of it is promoted already and in effect: promote the rest (--except, --only), or first: " +
         back;
}

/// What is left to do before the run can be promoted.
Result<std::string> what_is_next(const Globals& globals, Desk& desk, const ledger::Decision& decision) {
  RH_TRY(const auto all, desk.decisions.of_run(decision.run));
  const auto passage = promote::find_passage(desk.matter(), decision.seal, all, host::find_person);
  std::string name = decision.run + "@" + decision.digest;
  // What was written over a placeholder is never promoted.
  for (const effects::Change& change : desk.frozen.changes) {
    if (change.masked && change.after && change.kind != effects::ChangeKind::kIdentical)
      name += " --except " + shell_quote(change.path);
  }
  if (passage) return "next  rehearse " + state_option(globals) + "promote " + name + "\n";
  return "not yet: " + escape_text(passage.error().what) + "\n";
}

}  // namespace

Result<int> approve_verb(Globals& globals, Arguments arguments) {
  Words words;
  RH_TRY(const bool go_on,
         parse_words(globals, std::move(arguments), "approve",
                     "Approve what a run would do, so that it can be promoted once", words));
  if (!go_on) return 0;
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(Desk desk, open_desk(state, words.run));
  RH_CHECK(promote::check_policy(desk.matter()));
  RH_CHECK(promote::is_known_whole(desk.frozen.record));
  RH_CHECK(promote::check_approvable(desk.matter()));
  RH_CHECK(promote::may_approve(desk.matter(), desk.decider));
  RH_TRY(const std::int64_t holds, lifetime(desk, words.expires));
  ledger::Decision decision = desk.begin(ledger::Verb::kApproved, words.reason);
  decision.expires_ns = later(decision.created_ns, holds);
  // The way back is tried before there is anything to take back; what came of it does not decide.
  RH_TRY(const report::UndoTrial trial, promote::known_undo(state, desk.frozen));
  RH_TRY(decision.id, desk.decisions.add(decision));
  RH_TRY(const std::string note, note_in_effect(globals, desk.frozen.bundle));
  RH_TRY(const std::string next, what_is_next(globals, desk, decision));
  return print_decision(globals, decision,
                        fmt::format("{}approved until {}, once\n{}", report::undo_text(trial),
                                    rfc3339(decision.expires_ns), next),
                        &trial, note);
}

Result<int> reject_verb(Globals& globals, Arguments arguments) {
  Words words;
  RH_TRY(const bool go_on,
         parse_words(globals, std::move(arguments), "reject",
                     "Reject what a run would do: what was decided before does not let it pass", words));
  if (!go_on) return 0;
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(Desk desk, open_desk(state, words.run));
  RH_CHECK(promote::may_decide(desk.decider.who));
  ledger::Decision decision = desk.begin(ledger::Verb::kRejected, words.reason);
  RH_TRY(decision.id, desk.decisions.add(decision));
  return print_decision(globals, decision, "rejected\n");
}

Result<int> revoke_verb(Globals& globals, Arguments arguments) {
  Words words;
  RH_TRY(const bool go_on, parse_words(globals, std::move(arguments), "revoke",
                                       "Take back what you approved or overrode, before it is used", words));
  if (!go_on) return 0;
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(Desk desk, open_desk(state, words.run));
  RH_CHECK(promote::may_decide(desk.decider.who));
  RH_TRY(const auto all, desk.decisions.of_run(desk.frozen.record.id));
  const auto mine = std::ranges::count_if(all, [&](const ledger::Decision& one) {
    return one.person == desk.decider.person.uid && one.used_by.empty() &&
           (one.verb == ledger::Verb::kApproved || one.verb == ledger::Verb::kOverridden);
  });
  if (mine == 0)
    return fail(
        host::name_of(desk.decider.person) + " has no unused approval of run " + desk.frozen.record.id,
        ExitCode::kUsage, "to keep it from being promoted whoever approves: rehearse reject");
  ledger::Decision decision = desk.begin(ledger::Verb::kRevoked, words.reason);
  RH_TRY(decision.id, desk.decisions.add(decision));
  return print_decision(globals, decision, "taken back\n");
}

}  // namespace rehearse::cli
