// rehearse standing propose|grant|list|explain|revoke: one approval for all runs of a kind.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/decider.h"
#include "cli/decision_text.h"
#include "ledger/standing.h"
#include "promote/standing_rule.h"
#include "report/writer.h"
#include "verdict/policy_set.h"

namespace rehearse::cli {
namespace {

using ledger::Grant;
using ledger::Print;
using promote::Streak;

constexpr std::int64_t kDayNs = 86'400'000'000'000;
constexpr std::size_t kLeastDigits = 8;

struct Words {
  std::string name;  ///< a fingerprint, or the number of a grant
  std::string reason;
};

/// What all of them look at.
struct Office {
  verdict::Policy policy;
  ledger::Standing standing;
  std::int64_t now_ns = 0;
};

Result<Office> open_office(const Globals& globals) {
  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(verdict::Policy policy, verdict::load_policy({}));
  RH_TRY(ledger::Standing standing, ledger::Standing::open(state));
  RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state));
  Office office{std::move(policy), std::move(standing), realtime_ns()};
  RH_TRY(const auto newest, decisions.newest());
  RH_CHECK(promote::check_clock(newest, office.now_ns));
  return office;
}

struct Proposal {
  Print print;  ///< of the newest run
  Streak streak;
};

/// One a fingerprint, most runs first; the table's defaults where the policy has none. Runs that another
/// policy judged do not count.
Result<std::vector<Proposal>> proposals(Office& office) {
  const verdict::StandingTable table = office.policy.standing.value_or(verdict::StandingTable());
  RH_TRY(const auto prints, office.standing.since(office.now_ns - table.days * kDayNs));
  std::map<std::string, Print> newest;
  for (const Print& print : prints)
    if (print.unclean.empty() && print.policy == office.policy.digest) newest[print.digest] = print;
  std::vector<Proposal> found;
  for (const auto& [digest, print] : newest) {
    Streak streak = promote::count_streak(prints, print, table, office.now_ns);
    if (streak.runs > 0) found.push_back({print, std::move(streak)});
  }
  std::ranges::stable_sort(found, [](const Proposal& a, const Proposal& b) {
    return std::pair(!a.streak.missing.empty(), -a.streak.runs) <
           std::pair(!b.streak.missing.empty(), -b.streak.runs);
  });
  return found;
}

Result<int> print_out(const std::string& text) {
  report::Writer out(STDOUT_FILENO);
  out.put(text);
  RH_CHECK(out.flush());
  return 0;
}

Result<int> propose(const Globals& globals, Office& office) {
  RH_TRY(const auto found, proposals(office));
  std::string text;
  if (globals.json) {
    JsonWriter json(text);
    json.open_object().key("schema").string("rehearse.standing/1").key("proposals").open_array();
    for (const Proposal& one : found) {
      json.open_object().key("fingerprint").string(one.print.digest).bytes("title", one.print.title);
      json.key("runs").integer(one.streak.runs).key("days").integer(one.streak.days);
      json.key("first").string(rfc3339(one.streak.first_ns)).key("last").string(rfc3339(one.streak.last_ns));
      json.bytes("newest_run", one.streak.newest).bytes("missing", one.streak.missing).close_object();
    }
    json.close_array().close_object();
    return print_out(text + '\n');
  }
  if (!office.policy.standing) text += "the policy has no [standing]: nothing can be granted\n";
  for (const Proposal& one : found) {
    text += fmt::format("{}  {}\n", one.print.digest.substr(0, 16), one.print.title);
    text += fmt::format("  {} clean independent runs on {} days; {}\n", one.streak.runs, one.streak.days,
                        promote::confidence(one.streak.runs));
    text += one.streak.missing.empty()
                ? "  next  rehearse standing grant " + one.print.digest.substr(0, 16) + " --reason ...\n"
                : "  not yet: " + one.streak.missing + "\n";
  }
  return print_out(text.empty() ? "no clean runs yet\n" : text);
}

Result<Proposal> proposal_of(Office& office, const std::string& name) {
  RH_TRY(const auto found, proposals(office));
  std::vector<Proposal> fitting;
  for (const Proposal& one : found)
    if (name.size() >= kLeastDigits && one.print.digest.starts_with(name)) fitting.push_back(one);
  if (fitting.size() == 1) return fitting.front();
  return fail("\"" + name.substr(0, 80) + "\" is no fingerprint of clean runs (8 digits or more of one)",
              ExitCode::kUsage, "see: rehearse standing propose");
}

Result<int> grant(const Globals& globals, Office& office, const Words& words) {
  RH_CHECK(check_reason(words.reason));
  RH_TRY(const promote::Decider decider, this_decider());
  RH_CHECK(promote::may_grant(office.policy, decider));
  RH_TRY(const Proposal proposal, proposal_of(office, words.name));
  if (!proposal.streak.missing.empty())
    return fail("not enough for a standing approval: " + proposal.streak.missing, ExitCode::kNotApproved,
                "see: rehearse standing propose");
  Grant made;
  made.run = proposal.streak.newest;
  made.action = proposal.print.action;
  made.fingerprint = proposal.print.digest;
  made.envelope = proposal.print.envelope;
  made.policy = office.policy.digest;
  made.title = proposal.print.title;
  made.reason = words.reason;
  made.created_ns = office.now_ns;
  made.expires_ns = office.now_ns + office.policy.standing->ttl_ns;
  made.who = decider.who;
  made.person = decider.person.uid;
  RH_TRY(made.id, office.standing.grant(made));
  if (!globals.json)
    return print_out(fmt::format("standing approval {} until {}; a person is asked for one in {}\n", made.id,
                                 rfc3339(made.expires_ns), office.policy.standing->resample));
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.standing/1").key("grant").integer(made.id);
  json.key("fingerprint")
      .string(made.fingerprint)
      .key("expires")
      .string(rfc3339(made.expires_ns))
      .close_object();
  return print_out(text + '\n');
}

std::string state_of(const Grant& one, const Office& office) {
  if (!one.ended.empty()) return "ended";
  if (one.expires_ns <= office.now_ns) return "expired";
  return one.policy == office.policy.digest ? "holds" : "void";
}

Result<int> list(const Globals& globals, Office& office) {
  RH_TRY(const auto grants, office.standing.grants());
  std::string text;
  if (globals.json) {
    JsonWriter json(text);
    json.open_object().key("schema").string("rehearse.standing/1").key("grants").open_array();
    for (const Grant& one : grants) {
      json.open_object().key("id").integer(one.id).key("state").string(state_of(one, office));
      json.key("fingerprint").string(one.fingerprint).bytes("title", one.title).bytes("reason", one.reason);
      json.key("uid").integer(std::uint64_t{one.person}).key("created").string(rfc3339(one.created_ns));
      json.key("expires").string(rfc3339(one.expires_ns)).key("uses").integer(one.uses);
      json.key("resampled")
          .integer(std::uint64_t{one.resampled.size()})
          .bytes("ended", one.ended)
          .close_object();
    }
    json.close_array().close_object();
    return print_out(text + '\n');
  }
  for (const Grant& one : grants) {
    text += fmt::format("{:<4} {:<8} {}\n", one.id, state_of(one, office), one.title);
    text += fmt::format("     by {}, at {}, until {}; {} uses, {} resampled\n     {}\n",
                        person_text(one.person), rfc3339(one.created_ns), rfc3339(one.expires_ns), one.uses,
                        one.resampled.size(), escape_text(one.reason, 4096));
    if (!one.ended.empty())
      text += fmt::format("     ended at {}: {}\n", rfc3339(one.ended_ns), escape_text(one.ended, 4096));
  }
  return print_out(text.empty() ? "no standing approvals\n" : text);
}

Result<Grant> grant_of(Office& office, const std::string& name) {
  RH_TRY(const auto grants, office.standing.grants());
  const auto found =
      std::ranges::find_if(grants, [&](const Grant& one) { return std::to_string(one.id) == name; });
  if (found != grants.end()) return *found;
  return fail("there is no standing approval \"" + name.substr(0, 80) + "\"", ExitCode::kUsage,
              "see: rehearse standing list");
}

/// What is, or would be, approved: the number of a grant, or a fingerprint.
Result<int> explain(const Globals& globals, Office& office, const std::string& name) {
  std::string envelope, title, said;
  if (const auto granted = grant_of(office, name)) {
    envelope = granted->envelope;
    title = granted->title;
    said = fmt::format("{}; rests on runs up to {}", state_of(*granted, office), granted->run);
  } else {
    RH_TRY(const Proposal proposal, proposal_of(office, name));
    envelope = proposal.print.envelope;
    title = proposal.print.title;
    said = proposal.streak.missing.empty() ? "can be granted" : "not yet: " + proposal.streak.missing;
  }
  RH_TRY(const auto lines, office.standing.lines(envelope));
  std::string text;
  if (globals.json) {
    JsonWriter json(text);
    json.open_object().key("schema").string("rehearse.standing/1").bytes("title", title).bytes("state", said);
    json.key("envelope").open_array();
    for (const std::string& line : lines) json.string(to_utf8_lossy(line));
    json.close_array().close_object();
    return print_out(text + '\n');
  }
  text = title + "\n" + said + "\nwhat it may do, and nothing else:\n";
  for (const std::string& line : lines) text += "  " + line + "\n";
  return print_out(text);
}

Result<int> revoke(Office& office, const Words& words) {
  RH_CHECK(check_reason(words.reason));
  RH_TRY(const promote::Decider decider, this_decider());
  RH_CHECK(promote::may_decide(decider.who));
  RH_TRY(const Grant granted, grant_of(office, words.name));
  if (!granted.ended.empty())
    return fail("standing approval " + words.name + " was ended: " + granted.ended, ExitCode::kUsage,
                "nothing is left to do");
  RH_CHECK(office.standing.end(granted, "by " + host::name_of(decider.person) + ": " + words.reason,
                               decider.who, decider.person.uid, office.now_ns));
  return print_out("revoked\n");
}

}  // namespace

Result<int> standing_verb(Globals& globals, Arguments arguments) {
  Words words;
  CommandLine line("One approval for all runs that do the same (docs/approval.md)", "standing", globals);
  const CommandLine proposing =
      line.part("propose", "List what could be approved once for all, and what is missing");
  CommandLine granting = line.part("grant", "Approve all runs of a fingerprint");
  const CommandLine listing = line.part("list", "List standing approvals");
  CommandLine explaining = line.part("explain", "Print what one lets happen");
  CommandLine revoking = line.part("revoke", "End one");
  granting.option("FINGERPRINT", words.name, "As `propose` prints it").required();
  explaining.option("NAME", words.name, "Fingerprint, or the number of a standing approval").required();
  revoking.option("NUMBER", words.name, "As `list` prints it").required();
  for (CommandLine* deciding : {&granting, &revoking})
    deciding->option("--reason", words.reason, "Why; kept in the ledger").required().type_name("TEXT");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(Office office, open_office(globals));
  if (proposing.named()) return propose(globals, office);
  if (granting.named()) return grant(globals, office, words);
  if (listing.named()) return list(globals, office);
  if (explaining.named()) return explain(globals, office, words.name);
  return revoke(office, words);
}

}  // namespace rehearse::cli
