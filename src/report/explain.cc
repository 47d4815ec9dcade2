#include "report/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "report/decision_text.h"

namespace rehearse::report {
namespace {

using verdict::Judgement;
using verdict::Policy;
using verdict::Rule;
using verdict::RuleResult;
using verdict::TableResult;
using verdict::Truth;

constexpr std::size_t kValueLimit = 4096;
constexpr std::size_t kShown = 20;

std::string value(const std::string& text) {
  return escape_text(text, kValueLimit);
}

bool wanted(const Rule& rule, const RuleResult& result, const ExplainOptions& options) {
  if (!options.rule.empty()) return rule.id == options.rule;
  return options.all || result.truth != Truth::kFalse || !result.error.empty();
}

std::string said(const verdict::Condition& condition, const verdict::Key& key) {
  std::string text = std::string(condition.negated ? "not_" : "") + std::string(key.name) + " = ";
  if (key.kind == verdict::KeyKind::kBool) return text + (condition.flag ? "true" : "false");
  std::string list;
  for (const std::string& pattern : condition.patterns) list += (list.empty() ? "" : ", ") + value(pattern);
  for (const verdict::Range& range : condition.ranges) {
    list += list.empty() ? "" : ", ";
    if (range.low == range.high)
      list += fmt::format("{}", range.low);
    else if (range.low == INT64_MIN)
      list += fmt::format("<= {}", range.high);
    else if (range.high == INT64_MAX)
      list += fmt::format(">= {}", range.low);
    else
      list += fmt::format("{}..{}", range.low, range.high);
  }
  return text + list;
}

void evidence_text(const TableResult& table, std::size_t most, std::string& out) {
  std::size_t shown = 0;
  for (const verdict::Evidence& evidence : table.evidence) {
    if (shown == most) break;
    ++shown;
    out += fmt::format("      {}: {}\n", escape_text(evidence.kind, 64), value(evidence.text));
  }
  if (table.count > shown) out += fmt::format("      and {} more\n", table.count - shown);
}

std::string bounds_text(const verdict::MatchTable& table) {
  if (table.at_most) return fmt::format(", at_least = {}, at_most = {}", table.at_least, *table.at_most);
  return table.at_least == 1 ? std::string() : fmt::format(", at_least = {}", table.at_least);
}

void rule_text(const Policy& policy, const Rule& rule, const RuleResult& result, bool whole,
               const Style& style, std::string& out) {
  std::string word = to_string(result.truth);
  if (!result.error.empty()) word = "error";
  out += fmt::format("{:<8} {}  {}{}\n", word, style.level(rule.level), style.bold(escape_text(rule.id, 256)),
                     rule.shadow                                   ? "  on trial"
                     : rule.enforce == verdict::Enforce::kAdvisory ? "  advice"
                                                                   : "");
  if (!result.error.empty()) out += "    " + value(result.error) + '\n';
  if (whole) {
    out += "    why: " + value(rule.why) + '\n';
    if (!rule.fix.empty()) out += "    fix: " + value(rule.fix) + '\n';
    out += "    from: " + value(rule.place) + '\n';
  }
  for (std::size_t t = 0; t < rule.tables.size(); ++t) {
    const verdict::MatchTable& table = rule.tables[t];
    const TableResult& got = result.tables[t];
    out += fmt::format("    {}: {}, {} fact{}{}", keys_of(table.subject).name, to_string(got.truth),
                       got.count, got.count == 1 ? "" : "s", bounds_text(table));
    out += got.unknown.empty() ? "\n" : "; unknown: " + value(got.unknown) + '\n';
    if (whole) {
      for (const verdict::Condition& condition : table.conditions)
        out += "      asks " + said(condition, keys_of(table.subject).keys[condition.key]) + '\n';
    }
    evidence_text(got, whole ? SIZE_MAX : kShown, out);
  }
  if (rule.only) {
    out += fmt::format("    only: {}, {} effect{} outside", to_string(result.only.truth), result.only.count,
                       result.only.count == 1 ? "" : "s");
    out += result.only.unknown.empty() ? "\n" : "; unknown: " + value(result.only.unknown) + '\n';
    evidence_text(result.only, whole ? SIZE_MAX : kShown, out);
  }
  for (const verdict::ExceptionUse& use : result.exceptions) {
    const verdict::Exception& exception = policy.exceptions[use.exception];
    out += fmt::format("    exception of {} ({}), until {}: {} fact{}\n", value(exception.owner),
                       value(exception.reason), exception.expires, use.count, use.count == 1 ? "" : "s");
  }
}

void table_json(const TableResult& table, JsonWriter& json) {
  json.key("truth").string(to_string(table.truth)).key("count").integer(table.count);
  json.key("undecided").integer(table.maybe).key("unknown");
  if (table.unknown.empty())
    json.null();
  else
    json.string(to_utf8_lossy(table.unknown));
  json.key("evidence").open_array();
  for (const verdict::Evidence& evidence : table.evidence) {
    json.open_object().bytes("kind", evidence.kind);
    json.bytes(evidence.kind == "file" ? "path" : "text", evidence.text).close_object();
  }
  json.close_array().close_object();
}

void rule_json(const Policy& policy, const Rule& rule, const RuleResult& result, JsonWriter& json) {
  json.open_object().key("rule").string(rule.id).key("level").string(to_string(rule.level));
  json.key("enforce").string(to_string(rule.enforce)).key("mode").string(rule.shadow ? "shadow" : "active");
  json.key("truth").string(result.error.empty() ? to_string(result.truth) : "error").key("error");
  if (result.error.empty())
    json.null();
  else
    json.string(to_utf8_lossy(result.error));
  json.bytes("why", rule.why).bytes("fix", rule.fix).bytes("from", rule.place).key("tables").open_array();
  for (std::size_t t = 0; t < rule.tables.size(); ++t) {
    json.open_object().key("subject").string(keys_of(rule.tables[t].subject).name);
    json.key("at_least").integer(rule.tables[t].at_least);
    if (rule.tables[t].at_most) json.key("at_most").integer(*rule.tables[t].at_most);
    table_json(result.tables[t], json);
  }
  json.close_array();
  if (rule.only) {
    json.key("only").open_object();
    table_json(result.only, json);
  }
  json.key("exceptions").open_array();
  for (const verdict::ExceptionUse& use : result.exceptions) {
    const verdict::Exception& exception = policy.exceptions[use.exception];
    json.open_object().bytes("owner", exception.owner).bytes("reason", exception.reason);
    json.bytes("expires", exception.expires).key("count").integer(use.count).close_object();
  }
  json.close_array().close_object();
}

std::string policy_line(const RunRecord& record, const std::string& current) {
  const std::string& then = record.verdict.policy_digest;
  if (then.empty()) return "none: it was judged before there was a policy";
  if (current.empty()) return then + "  (the one in force now cannot be read)";
  return then + (then == current ? "  (still in force)" : "  (in force now: " + current + ")");
}

}  // namespace

std::string explain_text(const RunRecord& record, const Policy& policy, const Judgement& judgement,
                         const ExplainOptions& options, const Style& style) {
  std::string out;
  std::size_t left_out = 0;
  out += fmt::format("run     {}  {}\n", escape_text(record.id, 80), style.level(record.verdict.level));
  out += fmt::format("policy  {}\n", policy.digest);
  if (record.verdict.policy_digest != policy.digest) {
    out += fmt::format(
        "        the run was judged by {}; by this one it is {}\n",
        record.verdict.policy_digest.empty() ? "none" : escape_text(record.verdict.policy_digest, 80),
        style.level(judgement.verdict.level));
  }
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const RuleResult& result = judgement.evaluation.rules[i];
    if (wanted(policy.rules[i], result, options)) {
      out += '\n';
      rule_text(policy, policy.rules[i], result, !options.rule.empty(), style, out);
    } else {
      ++left_out;
    }
  }
  if (options.rule.empty() && left_out > 0)
    out += fmt::format("\n{} more rules do not hold (--all lists them)\n", left_out);
  bool first = true;
  for (const verdict::Finding& finding : judgement.verdict.findings) {
    const bool rule =
        std::ranges::any_of(policy.rules, [&](const Rule& one) { return one.id == finding.rule; });
    if (rule || !options.rule.empty()) continue;
    if (std::exchange(first, false)) out += "\nNot by rules:\n";
    out += fmt::format("  {}  {}  {}\n", style.level(finding.level), escape_text(finding.rule, 256),
                       value(finding.why));
  }
  return out;
}

std::string explain_json(const RunRecord& record, const Policy& policy, const Judgement& judgement,
                         const ExplainOptions& options) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.explain/1").bytes("run", record.id);
  json.key("recorded").open_object().key("level").string(to_string(record.verdict.level));
  json.bytes("policy_digest", record.verdict.policy_digest).close_object();
  json.key("level").string(to_string(judgement.verdict.level));
  json.key("policy_digest").string(policy.digest).key("rules").open_array();
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    ExplainOptions every = options;
    every.all = true;
    if (wanted(policy.rules[i], judgement.evaluation.rules[i], every))
      rule_json(policy, policy.rules[i], judgement.evaluation.rules[i], json);
  }
  json.close_array().close_object();
  return text + '\n';
}

std::string why_text(const RunRecord& record, const std::string& current, const std::string& command_start,
                     const std::string& bundle, const Style& style) {
  std::string out =
      fmt::format("{}  run {}\n", style.level(record.verdict.level, true), escape_text(record.id, 80));
  const auto line = [&](const char* name, const std::string& text) {
    out += fmt::format("  {:<10} {}\n", name, text);
  };
  out += '\n' + style.bold("Which data") + '\n';
  line("effects", escape_text(record.digest, 80));
  line("changes",
       record.manifest_root.empty() ? "none kept" : "sha256:" + escape_text(record.manifest_root, 80));
  if (record.trace) {
    line("reads", "sha256:" + escape_text(record.reads.root, 80));
    line("trace", fmt::format("sha256:{}, {}", escape_text(record.trace->root, 80),
                              record.trace->trouble.empty() ? "complete" : "NOT complete"));
  } else {
    line("trace", "none was recorded");
  }
  line("host", fmt::format("{}, {}", escape_text(record.host_name, 256), rfc3339(record.created_ns)));
  out += '\n' + style.bold("Which policy") + '\n';
  line("digest", value(policy_line(record, current)));
  for (const std::string& file : record.verdict.policy_files) line("file", value(file));
  out += '\n' + style.bold("What decided") + '\n';
  for (const verdict::Finding& finding : record.verdict.findings) {
    if (finding.decides() && finding.level == record.verdict.level)
      line(to_string(finding.level), escape_text(finding.rule, 256) + ": " + value(finding.why));
  }
  out += '\n' + style.bold("Exceptions") + '\n';
  if (record.verdict.exceptions.empty()) out += "  none had anything to except\n";
  for (const verdict::AppliedException& one : record.verdict.exceptions) {
    line(one.refused.empty() ? "applied" : "REFUSED",
         fmt::format("{}: {} fact{}, approved by {} ({}), until {}", value(one.rule), one.count,
                     one.count == 1 ? "" : "s", value(one.owner), value(one.reason), value(one.expires)));
    if (!one.refused.empty()) line("", value(one.refused));
  }
  if (!record.verdict.clock_trusted) line("clock", "it had gone back: no exception was believed");
  out += '\n' + style.bold("How to review it") + '\n';
  line("rule by rule", command_start + "explain " + escape_text(record.id, 80));
  line("by another", command_start + "explain " + escape_text(record.id, 80) + " --policy FILE");
  line("the policy", value(bundle) + "/policy.json, as it was");
  return out;
}

std::string why_json(const RunRecord& record, const std::string& current, const Decided& decided) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.why/1").bytes("run", record.id);
  json.key("level").string(to_string(record.verdict.level)).bytes("digest", record.digest);
  json.bytes("manifest_root", record.manifest_root).bytes("read_root", record.reads.root);
  json.bytes("trace_root", record.trace ? record.trace->root : std::string());
  json.bytes("policy_digest", record.verdict.policy_digest).bytes("policy_in_force", current);
  json.key("policy_files").open_array();
  for (const std::string& file : record.verdict.policy_files) json.string(to_utf8_lossy(file));
  json.close_array().key("decided_by").open_array();
  for (const verdict::Finding& finding : record.verdict.findings)
    if (finding.decides() && finding.level == record.verdict.level) json.string(to_utf8_lossy(finding.rule));
  json.close_array().key("exceptions").open_array();
  for (const verdict::AppliedException& one : record.verdict.exceptions) {
    json.open_object().bytes("rule", one.rule).bytes("owner", one.owner).bytes("reason", one.reason);
    json.bytes("expires", one.expires).key("count").integer(one.count);
    json.key("applied").boolean(one.refused.empty()).bytes("refused", one.refused).close_object();
  }
  json.close_array().key("clock_trusted").boolean(record.verdict.clock_trusted);
  write_decided(json, decided);
  json.close_object();
  return text + '\n';
}

}  // namespace rehearse::report
