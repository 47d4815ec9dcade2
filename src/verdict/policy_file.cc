#include "verdict/policy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/digest.h"
#include "base/edit_distance.h"
#include "base/json_writer.h"
#include "base/toml_file.h"
#include "base/units.h"
#include "verdict/decision_tables.h"
#include "verdict/match_table.h"

namespace rehearse::verdict {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "rehearse.policy/1";
constexpr std::string_view kLater[] = {"breaker", "audit"};
constexpr std::string_view kReserved[] = {"core.", "policy.", "expect."};
constexpr std::size_t kMostRules = 200'000;

/// A node as JSON; dates as text. No number has a point: no key takes one.
Json json_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* date = node.as_date())
    return fmt::format("{:04}-{:02}-{:02}", date->get().year, date->get().month, date->get().day);
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const toml::node& element : *array) list.push_back(json_of(element));
    return list;
  }
  Json object = Json::object();
  if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table) object[std::string(key.str())] = json_of(value);
  }
  return object;
}

/// RFC 8785: keys are ASCII here, so that byte order is the order that it asks for.
void write_canonical(JsonWriter& out, const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      out.open_object();
      for (const auto& [key, member] : value.items()) {
        out.key(key);
        write_canonical(out, member);
      }
      out.close_object();
      return;
    case Json::value_t::array:
      out.open_array();
      for (const Json& element : value) write_canonical(out, element);
      out.close_array();
      return;
    case Json::value_t::string:
      out.string(value.get_ref<const std::string&>());
      return;
    case Json::value_t::boolean:
      out.boolean(value.get<bool>());
      return;
    default:
      out.integer(value.get<std::int64_t>());
  }
}

/// One of a few words.
template <class Value>
Result<std::optional<Value>> choice(const TomlTable& table, std::string_view key,
                                    std::initializer_list<std::pair<std::string_view, Value>> words) {
  RH_TRY(const auto text, table.text(key));
  if (!text) return std::nullopt;
  std::vector<std::string_view> known;
  for (const auto& [word, value] : words) {
    if (*text == word) return value;
    known.push_back(word);
  }
  const std::string_view near = nearest_word(*text, known);
  return table.error_at(key, fmt::format("\"{}\" is not known", text->substr(0, 60)),
                        near.empty() ? fmt::format("write one of {}", fmt::join(known, ", "))
                                     : fmt::format("did you mean \"{}\"?", near));
}

Result<std::string> required(const TomlTable& table, std::string_view key, std::string_view example) {
  RH_TRY(const auto text, table.text(key));
  if (!text || text->empty())
    return table.error(fmt::format("\"{}\" is missing or empty", key),
                       fmt::format("write {} = \"{}\"", key, example));
  return *text;
}

Result<void> check_rule_id(const TomlTable& table, std::string_view key, const std::string& id) {
  if (is_rule_id(id)) return {};
  return table.error_at(key, fmt::format("\"{}\" is no name of a rule", id.substr(0, 60)),
                        "use small letters, digits, dash and dots, as in \"priv.setuid-new\"");
}

Result<Rule> read_rule(const TomlTable& table) {
  RH_CHECK(table.allow_only({"id", "level", "enforce", "mode", "why", "fix", "refs", "match"}));
  Rule rule;
  rule.place = table.place();
  RH_TRY(rule.id, required(table, "id", "priv.setuid-new"));
  RH_CHECK(check_rule_id(table, "id", rule.id));
  for (const std::string_view reserved : kReserved) {
    if (rule.id.starts_with(reserved))
      return table.error_at("id", fmt::format("names that begin with \"{}\" are rehearse's own", reserved),
                            "choose another first word");
  }
  RH_TRY(const auto level,
         choice<Level>(table, "level",
                       {{"green", Level::kGreen}, {"yellow", Level::kYellow}, {"red", Level::kRed}}));
  if (!level) return table.error("\"level\" is missing", "write level = \"yellow\"");
  rule.level = *level;
  RH_TRY(const auto enforce,
         choice<Enforce>(
             table, "enforce",
             {{"advisory", Enforce::kAdvisory}, {"soft", Enforce::kSoft}, {"hard", Enforce::kHard}}));
  rule.enforce = enforce.value_or(Enforce::kSoft);
  RH_TRY(const auto shadow, choice<bool>(table, "mode", {{"active", false}, {"shadow", true}}));
  rule.shadow = shadow.value_or(false);
  RH_TRY(rule.why, required(table, "why", "A new setuid file is a permanent privilege change."));
  RH_TRY(const auto fix, table.text("fix"));
  rule.fix = fix.value_or("");
  RH_TRY(rule.refs, table.texts("refs"));
  RH_TRY(const auto match, table.table("match"));
  if (!match)
    return table.error("has no [rule.match.SUBJECT]", "say what it matches, as in [rule.match.file]");
  RH_CHECK(read_match(*match, rule));
  if (rule.level == Level::kGreen && !rule.only)
    return table.error("is green without [rule.match.only]",
                       "say which effects are accepted; without that all others would be accepted with them");
  return rule;
}

std::int64_t days_since_1970(const toml::date& date) {
  const std::chrono::year_month_day day{std::chrono::year{date.year}, std::chrono::month{date.month},
                                        std::chrono::day{date.day}};
  return std::chrono::sys_days{day}.time_since_epoch().count();
}

Result<Exception> read_exception(const TomlTable& table) {
  RH_CHECK(table.allow_only({"rule", "path", "name", "action", "owner", "reason", "expires"}));
  Exception exception;
  exception.place = table.place();
  RH_TRY(exception.rule, required(table, "rule", "priv.setuid-new"));
  RH_TRY(const auto path, table.text("path"));
  exception.path = path.value_or("");
  if (path) RH_CHECK(check_path_glob(table, "path", *path));
  RH_TRY(const auto name, table.text("name"));
  exception.name = name.value_or("");
  RH_TRY(const auto action, table.text("action"));
  exception.action = action.value_or("");
  if (exception.path.empty() && exception.name.empty() && exception.action.empty())
    return table.error("says neither path nor name nor action", "an exception is for something: name it");
  RH_TRY(exception.owner, required(table, "owner", "alice"));
  RH_TRY(exception.reason, required(table, "reason", "package owned"));
  RH_TRY(const auto expires, table.date("expires"));
  if (!expires) return table.error("\"expires\" is missing", "write expires = 2027-03-01");
  exception.expires = *expires;
  const auto& date = table.raw().get("expires")->as_date()->get();
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  constexpr std::int64_t kLastDay = INT64_MAX / kDayNs;  // in the year 2262
  exception.expires_ns = std::clamp(days_since_1970(date), -kLastDay, kLastDay) * kDayNs;
  return exception;
}

Result<PolicyTest> read_test(const TomlTable& table, const std::string& directory) {
  RH_CHECK(table.allow_only({"name", "bundle", "expect"}));
  PolicyTest test;
  test.place = table.place();
  test.directory = directory;
  RH_TRY(test.name, required(table, "name", "useradd stays yellow"));
  RH_TRY(test.bundle, required(table, "bundle", "tests/useradd.rehearse"));
  RH_TRY(const auto expect, table.table("expect"));
  if (!expect) return table.error("\"expect\" is missing", "write expect = { verdict = \"yellow\" }");
  RH_CHECK(expect->allow_only({"verdict", "rules", "not_rules"}));
  RH_TRY(test.verdict, choice<Level>(*expect, "verdict",
                                     {{"green", Level::kGreen},
                                      {"yellow", Level::kYellow},
                                      {"inconclusive", Level::kInconclusive},
                                      {"red", Level::kRed}}));
  RH_TRY(test.rules, expect->texts("rules"));
  RH_TRY(test.not_rules, expect->texts("not_rules"));
  if (!test.verdict && test.rules.empty() && test.not_rules.empty())
    return expect->error("expects nothing", "write verdict, rules or not_rules");
  return test;
}

/// What one file says, before it is merged.
struct Part {
  std::vector<Rule> rules;
  std::vector<Exception> exceptions;
  std::map<std::string, std::int64_t> limits;
  DecisionTables decisions;
  std::optional<std::vector<std::string>> stale_ignore;
  std::vector<PolicyTest> tests;
};

Result<void> read_limits(const TomlTable& root, Part& part) {
  RH_TRY(const auto limits, root.table("limits"));
  if (!limits) return {};
  RH_CHECK(limits->allow_only({"per_hour"}));
  RH_TRY(const auto hour, limits->table("per_hour"));
  if (!hour) return {};
  RH_CHECK(hour->allow_only({"changes", "deletes", "bytes_written", "units_restarted", "promotions"}));
  for (const std::string& key : hour->keys()) {
    if (key == "bytes_written" && hour->raw().get(key)->is_string()) {
      RH_TRY(const auto text, hour->text(key));
      const auto bytes = parse_bytes(*text);
      if (!bytes) return hour->error_at(key, bytes.error().what, "write bytes_written = \"2GiB\"");
      part.limits[key] = static_cast<std::int64_t>(std::min<std::uint64_t>(*bytes, INT64_MAX));
      continue;
    }
    RH_TRY(const auto number, hour->integer(key, 0, INT64_MAX));
    part.limits[key] = *number;
  }
  return {};
}

Result<void> read_promote(const TomlTable& root, Part& part) {
  RH_TRY(const auto promote, root.table("promote"));
  if (!promote) return {};
  RH_CHECK(promote->allow_only({"stale_ignore"}));
  RH_TRY(part.stale_ignore, promote->texts("stale_ignore"));
  for (const std::string& glob : *part.stale_ignore)
    RH_CHECK(check_path_glob(*promote, "stale_ignore", glob));
  return {};
}

Result<Part> read_part(const TomlTable& root, const std::string& directory) {
  for (const std::string_view later : kLater) {
    if (root.has(later))
      return root.error_at(later, "is not supported by this version",
                           "leave it out: nothing would come of it");
  }
  RH_CHECK(root.allow_only({"schema", "limits", "rule", "exception", "approval", "override", "standing",
                            "skip", "promote", "test"}));
  RH_TRY(const auto schema, root.text("schema"));
  if (!schema)
    return root.error("\"schema\" is missing",
                      fmt::format("write schema = \"{}\" in the first line", kSchema));
  if (*schema != kSchema)
    return root.error_at("schema", fmt::format("\"{}\" is not known", schema->substr(0, 60)),
                         fmt::format("write \"{}\"", kSchema));
  Part part;
  RH_TRY(const auto rules, root.tables("rule"));
  for (const TomlTable& table : rules) {
    RH_TRY(auto rule, read_rule(table));
    part.rules.push_back(std::move(rule));
  }
  RH_TRY(const auto exceptions, root.tables("exception"));
  for (const TomlTable& table : exceptions) {
    RH_TRY(auto exception, read_exception(table));
    part.exceptions.push_back(std::move(exception));
  }
  RH_CHECK(read_limits(root, part));
  RH_TRY(part.decisions, read_decision_tables(root));
  RH_CHECK(read_promote(root, part));
  RH_TRY(const auto tests, root.tables("test"));
  for (const TomlTable& table : tests) {
    RH_TRY(auto test, read_test(table, directory));
    part.tests.push_back(std::move(test));
  }
  return part;
}

void merge_tables(Json& into, const Json& from) {
  for (const auto& [key, value] : from.items()) {
    if (value.is_object() && into.contains(key) && into[key].is_object())
      merge_tables(into[key], value);
    else
      into[key] = value;
  }
}

template <class Item>
void append(std::vector<Item>& to, std::vector<Item>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

struct PolicyMerge::Impl {
  Policy policy;
  Json merged = {{"schema", kSchema}};
  std::unordered_map<std::string, std::string> ids;  ///< of a rule: where it stands
};

PolicyMerge::PolicyMerge() : impl_(std::make_unique<Impl>()) {}
PolicyMerge::PolicyMerge(PolicyMerge&&) noexcept = default;
PolicyMerge& PolicyMerge::operator=(PolicyMerge&&) noexcept = default;
PolicyMerge::~PolicyMerge() = default;

Result<void> PolicyMerge::add(std::string_view text, const std::string& path, std::int64_t mtime_ns,
                              const std::string& directory) {
  RH_TRY(const auto toml, TomlFile::parse(text, path));
  const TomlTable root = toml.root();
  RH_TRY(auto part, read_part(root, directory));
  Policy& policy = impl_->policy;
  if (policy.rules.size() + part.rules.size() > kMostRules)
    return fail(fmt::format("{}: more than {} rules in all", path, kMostRules), ExitCode::kConfig,
                "merge some");
  std::unordered_map<std::string, std::string> fresh;
  for (const Rule& rule : part.rules) {
    const auto before = impl_->ids.find(rule.id);
    const auto here = fresh.find(rule.id);
    if (before != impl_->ids.end() || here != fresh.end())
      return fail(fmt::format("{}: rule \"{}\" is already defined at {}", rule.place, rule.id,
                              before != impl_->ids.end() ? before->second : here->second),
                  ExitCode::kConfig, "rename one of them; to let something pass, write an [[exception]]");
    fresh.emplace(rule.id, rule.place);
  }
  impl_->ids.merge(fresh);
  append(policy.rules, part.rules);
  append(policy.exceptions, part.exceptions);
  append(policy.tests, part.tests);
  for (const auto& [key, value] : part.limits) policy.limits_per_hour[key] = value;
  merge_decision_tables(std::move(part.decisions), policy);
  if (part.stale_ignore) policy.stale_ignore = std::move(*part.stale_ignore);
  policy.files.push_back({path, hex(sha256(text)), mtime_ns});
  for (const auto& [key, node] : root.raw()) {
    const std::string name(key.str());
    if (name == "schema") continue;
    const Json value = json_of(node);
    Json& there = impl_->merged[name];
    if (value.is_array()) {
      if (there.is_null()) there = Json::array();
      there.insert(there.end(), value.begin(), value.end());
    } else if (name == "approval" && there.is_object()) {
      there.update(value);  // as above: level by level
    } else if (there.is_object() && name == "limits") {
      merge_tables(there, value);
    } else {
      there = value;
    }
  }
  return {};
}

Result<Policy> PolicyMerge::finish() {
  Policy& policy = impl_->policy;
  for (const Exception& exception : policy.exceptions) {
    if (impl_->ids.contains(exception.rule)) continue;
    std::vector<std::string_view> known;
    for (const Rule& rule : policy.rules) known.push_back(rule.id);
    const std::string_view near = nearest_word(exception.rule, known);
    return fail(fmt::format("{}: [[exception]]: there is no rule \"{}\"", exception.place,
                            exception.rule.substr(0, 60)),
                ExitCode::kConfig,
                near.empty() ? "name a rule as `rehearse policy check` lists them"
                             : fmt::format("did you mean \"{}\"?", near));
  }
  JsonWriter out(policy.canonical, JsonWriter::Style::kCanonical);
  write_canonical(out, impl_->merged);
  policy.digest = "sha256:" + hex(sha256(policy.canonical));
  return std::move(policy);
}

bool is_rule_id(std::string_view id) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  const auto edge = [](char c) { return c == '.' || c == '-'; };
  return !id.empty() && id.size() <= 128 && id.find('.') != std::string_view::npos &&
         id.find("..") == std::string_view::npos && !edge(id.front()) && !edge(id.back()) &&
         std::ranges::all_of(id, good);
}

}  // namespace rehearse::verdict
