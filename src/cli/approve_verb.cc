// rehearse approve|reject RUN@DIGEST --reason TEXT: a person's decision about what a run would do.

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <optional>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "base/units.h"
#include "cli/run_at.h"
#include "cli/verbs.h"
#include "ledger/decisions.h"
#include "ledger/undo_trials.h"
#include "promote/decision.h"
#include "promote/frozen_bundle.h"
#include "promote/undo_trial.h"
#include "report/undo_text.h"
#include "report/writer.h"

namespace rehearse::cli {
namespace {

constexpr std::size_t kMostReason = 4096;

Result<int> decide(Globals& globals, Arguments arguments, ledger::Verb verb) {
  const bool approves = verb == ledger::Verb::kApproved;
  std::string run;
  std::string reason;
  std::string expires = "4h";
  CLI::App app(approves ? "Approve what a run would do, so that it can be promoted once"
                        : "Reject what a run would do: it cannot be promoted",
               approves ? "approve" : "reject");
  add_globals(app, globals);
  app.add_option("RUN@DIGEST", run, "The run and its digest, as the report prints them")->required();
  app.add_option("--reason", reason, "Why; kept in the ledger")->required()->type_name("TEXT");
  if (approves)
    app.add_option("--expires", expires, "How long the approval holds (default 4h)")->type_name("TIME");
  RH_TRY(const bool go_on, parse(app, std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(const std::int64_t lifetime, parse_duration(expires));
  if (reason.empty() || reason.size() > kMostReason)
    return fail("--reason wants 1 to 4096 bytes of text", ExitCode::kUsage, "say why");

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const promote::RunAtDigest named, resolve_run(state, run));
  RH_TRY(const promote::FrozenBundle frozen, promote::open_frozen(state, named.run, named.digest));
  ledger::Decision decision;
  decision.run = frozen.record.id;
  decision.digest = frozen.record.digest;
  decision.seal = hex(frozen.seal);
  decision.verb = verb;
  decision.who = requester();
  decision.reason = reason;
  decision.created_ns = realtime_ns();
  decision.expires_ns = decision.created_ns + lifetime;
  RH_CHECK(promote::may_decide(decision.who, frozen.record.requester));
  if (approves) RH_CHECK(promote::is_known_whole(frozen.record));
  if (approves && frozen.record.verdict.level == verdict::Level::kRed)
    return fail("run " + decision.run + " is red: policy blocks it", ExitCode::kRed,
                "see: rehearse show " + decision.run);
  RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state));
  // The way back is tried before there is anything to take back; what came of it does not decide.
  std::optional<report::UndoTrial> trial;
  if (approves) {
    trial = promote::try_undo(frozen);
    RH_CHECK(ledger::put_undo_trial(state, decision.run, decision.digest, *trial));
  }
  RH_TRY(decision.id, decisions.add(decision));

  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    std::string text;
    JsonWriter json(text);
    json.open_object().key("schema").string("rehearse.decision/1").key("decision").integer(decision.id);
    json.key("run").string(decision.run).key("digest").string(decision.digest);
    json.key("verb").string(approves ? "approved" : "rejected");
    json.key("uid").integer(std::uint64_t{promote::person_of(decision.who)});
    json.bytes("reason", reason);
    json.key("created").string(rfc3339(decision.created_ns)).key("expires");
    if (approves)
      json.string(rfc3339(decision.expires_ns));
    else
      json.null();
    if (trial) {
      json.key("rollback").open_object().key("verified").boolean(trial->verified);
      json.key("seconds").seconds(trial->took_ns).bytes("why", trial->why).key("irreversible").open_array();
      for (const std::string& line : trial->irreversible) json.string(to_utf8_lossy(line));
      json.close_array().close_object();
    }
    json.close_object();
    out.put(text + "\n");
  } else if (approves) {
    out.put(report::undo_text(*trial));
    out.put(fmt::format("approved until {}, once\nnext  rehearse promote {}@{}\n",
                        rfc3339(decision.expires_ns), decision.run, decision.digest));
  } else {
    out.put("rejected\n");
  }
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace

Result<int> approve_verb(Globals& globals, Arguments arguments) {
  return decide(globals, std::move(arguments), ledger::Verb::kApproved);
}

Result<int> reject_verb(Globals& globals, Arguments arguments) {
  return decide(globals, std::move(arguments), ledger::Verb::kRejected);
}

}  // namespace rehearse::cli
