#include "report/sarif.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "report/run_text.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kMostPlaces = 100;  ///< of one finding
constexpr std::size_t kMostEvidence = 20;
constexpr std::size_t kLineLimit = 4096;

/// In a message brackets make links (SARIF 3.11.6), unless a backslash stands before them; escape_text has
/// doubled those that were there.
std::string plain(std::string_view raw) {
  std::string text;
  for (const char c : escape_text(raw, kLineLimit)) {
    if (c == '[' || c == ']') text += '\\';
    text += c;
  }
  return text;
}

/// RFC 8089; every byte that is not unreserved is percent-encoded.
std::string address_of(std::string_view path) {
  std::string text = "file://";
  for (const char c : path) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                            c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
    text += unreserved ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

const char* level_of(const verdict::Finding& finding) {
  if (finding.level == verdict::Level::kGreen) return "none";
  if (!finding.decides()) return "note";
  return finding.level == verdict::Level::kRed ? "error" : "warning";
}

std::string message_of(const verdict::Finding& finding) {
  std::string text = plain(finding.why);
  const std::size_t shown = std::min(finding.evidence.size(), kMostEvidence);
  for (std::size_t i = 0; i < shown; ++i)
    text += '\n' + plain(finding.evidence[i].kind) + ": " + plain(finding.evidence[i].text);
  const std::uint64_t all = std::max<std::uint64_t>(finding.count, finding.evidence.size());
  if (all > shown) text += fmt::format("\nand {} more", all - shown);
  if (!finding.fix.empty()) text += "\nfix: " + plain(finding.fix);
  return text;
}

void text_member(JsonWriter& json, const char* name, const std::string& text) {
  json.key(name).open_object().key("text").string(text).close_object();
}

void rules(JsonWriter& json, const RunRecord& record, std::map<std::string, std::uint64_t>& numbers) {
  json.key("rules").open_array();
  for (const verdict::Finding& finding : record.verdict.findings) {
    if (!numbers.emplace(finding.rule, numbers.size()).second) continue;
    json.open_object().key("id").string(to_utf8_lossy(finding.rule));
    text_member(json, "shortDescription", plain(finding.why));
    if (!finding.fix.empty()) text_member(json, "help", plain(finding.fix));
    json.key("properties").open_object().key("tags").open_array();
    for (const std::string& ref : finding.refs) json.string(to_utf8_lossy(ref));
    json.close_array().close_object().close_object();
  }
  json.close_array();
}

void result(JsonWriter& json, const verdict::Finding& finding, std::uint64_t rule) {
  json.open_object().key("ruleId").string(to_utf8_lossy(finding.rule)).key("ruleIndex").integer(rule);
  json.key("kind").string(finding.level == verdict::Level::kGreen ? "pass" : "fail");
  json.key("level").string(level_of(finding));
  text_member(json, "message", message_of(finding));
  json.key("locations").open_array();
  std::size_t places = 0;
  for (const verdict::Evidence& evidence : finding.evidence) {
    if (evidence.kind != "file" || !evidence.text.starts_with('/') || ++places > kMostPlaces) continue;
    json.open_object().key("physicalLocation").open_object().key("artifactLocation").open_object();
    json.key("uri").string(address_of(evidence.text)).close_object().close_object().close_object();
  }
  json.close_array().close_object();
}

}  // namespace

std::string to_sarif(const RunRecord& record) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("$schema").string("https://json.schemastore.org/sarif-2.1.0.json");
  json.key("version").string("2.1.0").key("runs").open_array().open_object();
  json.key("tool").open_object().key("driver").open_object().key("name").string("rehearse");
  json.key("version").string(to_utf8_lossy(record.tool_version));
  std::map<std::string, std::uint64_t> numbers;
  rules(json, record, numbers);
  json.close_object().close_object();
  json.key("automationDetails").open_object().key("id").string("rehearse/" + to_utf8_lossy(record.id));
  json.close_object();
  json.key("invocations").open_array().open_object().key("executionSuccessful").boolean(true);
  json.key("commandLine").string(words_text(record.action.argv, kLineLimit));
  json.key("startTimeUtc").string(rfc3339(record.created_ns)).close_object().close_array();
  json.key("results").open_array();
  for (const verdict::Finding& finding : record.verdict.findings)
    result(json, finding, numbers[finding.rule]);
  json.close_array().key("properties").open_object();
  json.key("verdict").string(verdict::to_string(record.verdict.level));
  json.key("digest").string(to_utf8_lossy(record.digest));
  json.key("policy_digest").string(to_utf8_lossy(record.verdict.policy_digest)).close_object();
  json.close_object().close_array().close_object();
  return text + '\n';
}

}  // namespace rehearse::report
