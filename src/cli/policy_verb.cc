// rehearse policy check|test|digest|explain|replay: the policy itself, without a new run.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/kept_run.h"
#include "cli/verb_support.h"
#include "ledger/state.h"
#include "report/style.h"
#include "report/writer.h"
#include "verdict/policy_set.h"

namespace rehearse::cli {
namespace {

using verdict::Policy;
using verdict::Trust;

Result<int> print(const std::string& text, int code = 0) {
  report::Writer out(STDOUT_FILENO);
  out.put(text);
  RH_CHECK(out.flush());
  return code;
}

void add_policy_option(CommandLine& line, std::vector<std::string>& sources) {
  line.option("--policy", sources, "This file or directory in place of the host's policy")
      .type_name("PATH|builtin")
      .one_each();
}

/// Where each part came from, how much there is of it, and the digest.
std::string check_text(const Policy& policy, bool rules, const report::Style& style) {
  std::string out;
  for (const verdict::PolicyFile& file : policy.files)
    out += fmt::format("{}  sha256:{}\n", escape_text(file.path, 4096), file.sha256.substr(0, 16));
  const auto trial = std::ranges::count_if(policy.rules, [](const auto& rule) { return rule.shadow; });
  out += fmt::format("{} rules ({} on trial), {} exceptions, {} tests\n{}\n", policy.rules.size(), trial,
                     policy.exceptions.size(), policy.tests.size(), policy.digest);
  const std::int64_t now = realtime_ns();
  for (const verdict::Exception& exception : policy.exceptions) {
    if (exception.expires_ns <= now)
      out +=
          fmt::format("{}: the exception of {} from {} expired on {}\n", escape_text(exception.place, 4096),
                      escape_text(exception.owner, 256), exception.rule, exception.expires);
  }
  if (!rules) return out;
  for (const verdict::Rule& rule : policy.rules)
    out += fmt::format("{}  {:<28} {}\n", style.level(rule.level), rule.id, escape_text(rule.why, 400));
  return out;
}

std::string check_json(const Policy& policy) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.policy-check/1").key("digest").string(policy.digest);
  json.key("files").open_array();
  for (const verdict::PolicyFile& file : policy.files)
    json.open_object().bytes("path", file.path).key("sha256").string(file.sha256).close_object();
  json.close_array().key("rules").open_array();
  for (const verdict::Rule& rule : policy.rules) {
    json.open_object().key("rule").string(rule.id).key("level").string(to_string(rule.level));
    json.key("enforce").string(to_string(rule.enforce)).key("mode").string(rule.shadow ? "shadow" : "active");
    json.bytes("from", rule.place).close_object();
  }
  json.close_array().key("exceptions").open_array();
  for (const verdict::Exception& exception : policy.exceptions) {
    json.open_object().key("rule").string(exception.rule).bytes("owner", exception.owner);
    json.bytes("reason", exception.reason).key("expires").string(exception.expires);
    json.key("expired").boolean(exception.expires_ns <= realtime_ns()).close_object();
  }
  json.close_array().key("tests").integer(std::uint64_t{policy.tests.size()}).close_object();
  return text + '\n';
}

Result<int> check(Globals& globals, Arguments arguments) {
  std::vector<std::string> sources;
  bool rules = false;
  CommandLine line("Read the policy as a rehearsal would, and say what it is made of", "policy check",
                   globals);
  add_policy_option(line, sources);
  line.option("PATH", sources, "Files and directories to check in place of the host's");
  line.flag("--rules", rules, "List the rules");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  // Of the host's own it is also checked that nobody else can write them.
  RH_TRY(const Policy policy, verdict::load_policy(sources, Trust::kAnybody));
  const report::Style style(use_color(globals, STDOUT_FILENO));
  return print(globals.json ? check_json(policy) : check_text(policy, rules, style));
}

Result<int> digest(Globals& globals, Arguments arguments) {
  std::vector<std::string> sources;
  bool canonical = false;
  CommandLine line("Print the digest of the policy", "policy digest", globals);
  add_policy_option(line, sources);
  line.flag("--canonical", canonical, "Print what the digest is of (RFC 8785)");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(const Policy policy, verdict::load_policy(sources, Trust::kAnybody));
  if (canonical) return print(policy.canonical);
  if (globals.json)
    return print(
        fmt::format("{{\"schema\":\"rehearse.policy-digest/1\",\"digest\":\"{}\"}}\n", policy.digest));
  return print(policy.digest + '\n');
}

/// What is not as the test expects, one line each.
std::vector<std::string> failures(const verdict::PolicyTest& test, const Policy& policy, std::string& level) {
  std::vector<std::string> wrong;
  const std::string path = test.bundle.starts_with('/') || test.directory.empty()
                               ? test.bundle
                               : test.directory + '/' + test.bundle;
  const auto kept = open_recorded_run(path);
  if (!kept) return {kept.error().what};
  const verdict::Verdict verdict = kept->judge(policy).verdict;
  level = to_string(verdict.level);
  std::set<std::string> found;
  for (const verdict::Finding& finding : verdict.findings) found.insert(finding.rule);
  if (test.verdict && *test.verdict != verdict.level)
    wrong.push_back(fmt::format("the verdict is {}, not {}", level, to_string(*test.verdict)));
  for (const std::string& rule : test.rules)
    if (!found.contains(rule)) wrong.push_back("there is no finding of " + rule);
  for (const std::string& rule : test.not_rules)
    if (found.contains(rule)) wrong.push_back("there is a finding of " + rule);
  if (!wrong.empty()) {
    std::string list;
    for (const std::string& rule : found) list += ' ' + rule;
    wrong.push_back("findings:" + list);
  }
  return wrong;
}

Result<int> test(Globals& globals, Arguments arguments) {
  std::vector<std::string> sources;
  CommandLine line("Judge the recorded runs that [[test]] names, and compare", "policy test", globals);
  add_policy_option(line, sources);
  line.option("PATH", sources, "Files and directories in place of the host's");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(const Policy policy, verdict::load_policy(sources, Trust::kAnybody));
  std::string text;
  std::string document;
  JsonWriter json(document);
  json.open_object().key("schema").string("rehearse.policy-test/1").key("digest").string(policy.digest);
  json.key("tests").open_array();
  std::size_t failed = 0;
  for (const verdict::PolicyTest& one : policy.tests) {
    std::string level;
    const std::vector<std::string> wrong = failures(one, policy, level);
    failed += wrong.empty() ? 0 : 1;
    text += fmt::format("{}  {:<12} {}\n", wrong.empty() ? "ok    " : "FAILED", level,
                        escape_text(one.name, 400));
    for (const std::string& line : wrong) text += "        " + escape_text(line, 4096) + '\n';
    json.open_object().bytes("name", one.name).bytes("bundle", one.bundle).bytes("verdict", level);
    json.key("ok").boolean(wrong.empty()).key("wrong").open_array();
    for (const std::string& line : wrong) json.string(to_utf8_lossy(line));
    json.close_array().close_object();
  }
  json.close_array().key("failed").integer(std::uint64_t{failed}).close_object();
  text += fmt::format("{} tests, {} failed\n", policy.tests.size(), failed);
  return print(globals.json ? document + '\n' : text,
               static_cast<int>(failed == 0 ? ExitCode::kDone : ExitCode::kFailure));
}

/// What a candidate would have made of one run.
struct Replayed {
  std::string id;
  verdict::Level before = verdict::Level::kYellow;
  verdict::Level after = verdict::Level::kYellow;
  std::vector<std::string> appeared;  ///< rules with findings that were not there
  std::vector<std::string> gone;
};

Replayed replay_one(const KeptRun& kept, const verdict::Verdict& before, const verdict::Verdict& after) {
  Replayed one{kept.record.id, before.level, after.level, {}, {}};
  const auto rules = [](const verdict::Verdict& verdict) {
    std::set<std::string> names;
    for (const verdict::Finding& finding : verdict.findings) names.insert(finding.rule);
    return names;
  };
  const auto old = rules(before);
  const auto now = rules(after);
  std::ranges::set_difference(now, old, std::back_inserter(one.appeared));
  std::ranges::set_difference(old, now, std::back_inserter(one.gone));
  return one;
}

Result<int> replay(Globals& globals, Arguments arguments) {
  std::vector<std::string> sources;
  std::vector<std::string> candidate;
  std::string since = "30d";
  CommandLine line("Judge the runs that are kept by a candidate too, and say what would be another verdict",
                   "policy replay", globals);
  add_policy_option(line, sources);
  line.option("--candidate", candidate, "Files and directories of the candidate policy")
      .type_name("PATH|builtin")
      .required();
  line.option("--since", since, "Runs of so long ago at most; default: 30d").type_name("TIME");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(const std::int64_t span, of_option("--since", parse_duration(since)));
  RH_TRY(const Policy old, verdict::load_policy(sources, Trust::kAnybody));
  RH_TRY(const Policy fresh, verdict::load_policy(candidate, Trust::kAnybody));
  std::vector<Replayed> all;
  std::vector<std::string> unread;
  RH_TRY(const auto state, open_existing_state(globals));
  if (state) {
    RH_TRY(const auto ids, state->run_ids());
    const std::int64_t from = realtime_ns() - span;
    for (const std::string& id : ids) {
      if (ledger::time_of_run(id) < from) continue;
      const auto kept = open_kept_run(globals, id);
      if (!kept) {
        unread.push_back(id + ": " + kept.error().what);
        continue;
      }
      all.push_back(replay_one(*kept, kept->judge(old).verdict, kept->judge(fresh).verdict));
    }
  }
  const report::Style style(use_color(globals, STDOUT_FILENO));
  std::string text;
  std::string document;
  JsonWriter json(document);
  json.open_object().key("schema").string("rehearse.policy-replay/1").key("policy").string(old.digest);
  json.key("candidate").string(fresh.digest).key("runs").open_array();
  std::size_t flips = 0;
  for (const Replayed& one : all) {
    flips += one.before == one.after ? 0 : 1;
    json.open_object().bytes("run", one.id).key("before").string(to_string(one.before));
    json.key("after").string(to_string(one.after)).key("appeared").open_array();
    for (const std::string& rule : one.appeared) json.string(to_utf8_lossy(rule));
    json.close_array().key("gone").open_array();
    for (const std::string& rule : one.gone) json.string(to_utf8_lossy(rule));
    json.close_array().close_object();
    if (one.before == one.after) continue;
    text += fmt::format("{}  {} -> {}\n", escape_text(one.id, 80), style.level(one.before),
                        style.level(one.after));
    for (const std::string& rule : one.appeared) text += "    + " + escape_text(rule, 256) + '\n';
    for (const std::string& rule : one.gone) text += "    - " + escape_text(rule, 256) + '\n';
  }
  json.close_array().key("flips").integer(std::uint64_t{flips}).key("unread").open_array();
  for (const std::string& line : unread) json.string(to_utf8_lossy(line));
  json.close_array().close_object();
  for (const std::string& line : unread) text += "not judged: " + escape_text(line, 4096) + '\n';
  text += fmt::format("{} runs judged, {} would have another verdict\n", all.size(), flips);
  return print(globals.json ? document + '\n' : text);
}

}  // namespace

Result<int> policy_verb(Globals& globals, Arguments arguments) {
  // Global options may stand before the word.
  std::size_t at = 0;
  const auto ends = [](const std::string& word) {
    return !word.starts_with('-') || word == "--help" || word == "-h" || word == "--version";
  };
  while (at < arguments.size() && !ends(arguments[at]))
    at += arguments[at] == "--state" || arguments[at] == "--color" ? 2 : 1;
  constexpr const char* kWords = "check, test, digest, explain or replay";
  if (at < arguments.size() && (arguments[at] == "--help" || arguments[at] == "-h"))
    return print(
        "Read, test and replay the policy\nUsage: rehearse policy check|test|digest|explain|replay "
        "[OPTIONS]\n");
  if (at < arguments.size() && arguments[at] == "--version") return print("rehearse " REHEARSE_VERSION "\n");
  if (at >= arguments.size())
    return fail("policy: what is to be done is missing", ExitCode::kUsage, std::string("write ") + kWords);
  const std::string word = arguments[at];
  arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(at));
  if (word == "check") return check(globals, std::move(arguments));
  if (word == "test") return test(globals, std::move(arguments));
  if (word == "digest") return digest(globals, std::move(arguments));
  if (word == "replay") return replay(globals, std::move(arguments));
  if (word == "explain") return explain_verb(globals, std::move(arguments));
  return fail("policy: unknown word \"" + word.substr(0, 80) + "\"", ExitCode::kUsage,
              std::string("write ") + kWords);
}

}  // namespace rehearse::cli
