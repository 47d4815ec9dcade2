#include "cli/decider.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "cli/run_at.h"
#include "host/identity.h"
#include "report/writer.h"
#include "verdict/policy_set.h"

namespace rehearse::cli {
namespace {

constexpr std::size_t kMostReason = 4096;

}  // namespace

Result<promote::Decider> this_decider() {
  promote::Decider decider;
  decider.attested = host::read_requester().attested;
  decider.who = requester();
  RH_TRY(decider.person, host::find_person(promote::person_of(decider.who)));
  return decider;
}

std::int64_t later(std::int64_t ns, std::int64_t length) {
  return ns + std::min(length, INT64_MAX - ns);
}

Result<void> check_reason(const std::string& reason) {
  const bool says = std::ranges::any_of(reason, [](unsigned char c) { return c > ' '; });
  if (!says || reason.size() > kMostReason)
    return fail("--reason wants 1 to 4096 bytes of text", ExitCode::kUsage, "say why");
  return {};
}

ledger::Decision Desk::begin(ledger::Verb verb, const std::string& reason) const {
  ledger::Decision decision;
  decision.run = frozen.record.id;
  decision.digest = frozen.record.digest;
  decision.seal = hex(frozen.seal);
  decision.policy = policy.digest;
  decision.verb = verb;
  decision.who = decider.who;
  decision.person = decider.person.uid;
  decision.reason = reason;
  decision.created_ns = now_ns;
  return decision;
}

Result<Desk> open_desk(const ledger::StateDir& state, const std::string& run_at_digest) {
  RH_TRY(const promote::RunAtDigest named, resolve_run(state, run_at_digest));
  RH_TRY(promote::FrozenBundle frozen, promote::open_frozen(state, named.run, named.digest));
  RH_TRY(verdict::Policy policy, verdict::load_policy({}));
  RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state));
  RH_TRY(promote::Decider decider, this_decider());
  Desk desk{std::move(frozen), std::move(policy), std::move(decisions), std::move(decider), realtime_ns()};
  RH_TRY(const auto newest, desk.decisions.newest());
  RH_CHECK(promote::check_clock(newest, desk.now_ns));
  return desk;
}

Result<int> print_decision(const Globals& globals, const ledger::Decision& decision, const std::string& line,
                           const report::UndoTrial* trial, const std::string& note) {
  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    std::string text;
    JsonWriter json(text);
    const auto time = [&json](const char* name, std::int64_t ns) {
      json.key(name);
      if (ns == 0)
        json.null();
      else
        json.string(rfc3339(ns));
    };
    json.open_object().key("schema").string("rehearse.decision/1").key("decision").integer(decision.id);
    json.key("run").string(decision.run).key("digest").string(decision.digest);
    json.key("policy_digest").string(decision.policy);
    json.key("verb").string(ledger::to_string(decision.verb));
    json.key("uid").integer(std::uint64_t{decision.person});
    json.bytes("reason", decision.reason).bytes("ticket", decision.ticket);
    time("created", decision.created_ns);
    time("expires", decision.expires_ns);
    time("review_due", decision.review_due_ns);
    if (trial != nullptr) {
      json.key("rollback").open_object().key("verified").boolean(trial->verified);
      json.key("seconds").seconds(trial->took_ns).bytes("why", trial->why).key("irreversible").open_array();
      for (const std::string& line_of : trial->irreversible) json.string(to_utf8_lossy(line_of));
      json.close_array().close_object();
    }
    if (!note.empty()) json.bytes("note", note);
    json.close_object();
    out.put(text + "\n");
  } else {
    out.put(line);
    if (!note.empty()) out.put("note  " + escape_text(note) + "\n");
  }
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace rehearse::cli
