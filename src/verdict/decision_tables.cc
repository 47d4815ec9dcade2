#include "verdict/decision_tables.h"

#include <fmt/format.h>

#include "base/units.h"

namespace rehearse::verdict {
namespace {

constexpr std::int64_t kHourNs = 3'600'000'000'000;
constexpr std::int64_t kDayNs = 24 * kHourNs;
constexpr std::int64_t kLongestNs = 3650 * kDayNs;

Result<std::vector<std::string>> read_roles(const TomlTable& table) {
  RH_TRY(auto roles, table.texts("roles"));
  if (roles.empty())
    return table.error("\"roles\" is missing or empty", "name groups of this host: roles = [\"operators\"]");
  return roles;
}

Result<std::optional<std::int64_t>> read_duration(const TomlTable& table, std::string_view key) {
  RH_TRY(const auto text, table.text(key));
  if (!text) return std::nullopt;
  const auto duration = parse_duration(*text);
  if (!duration || *duration <= 0)
    return table.error_at(key, "is no length of time", fmt::format("write {} = \"4h\"", key));
  if (*duration > kLongestNs)
    return table.error_at(key, "is longer than ten years", fmt::format("write {} = \"4h\"", key));
  return std::optional(*duration);
}

Result<Approval> read_approval(const TomlTable& table) {
  RH_CHECK(table.allow_only({"need", "roles", "not_requester", "ttl"}));
  Approval approval;
  RH_TRY(const auto need, table.integer("need", 1, 10));
  approval.need = need.value_or(1);
  RH_TRY(approval.roles, read_roles(table));
  RH_TRY(const auto other, table.boolean("not_requester"));
  approval.not_requester = other.value_or(true);
  RH_TRY(const auto ttl, read_duration(table, "ttl"));
  approval.ttl_ns = ttl.value_or(0);
  return approval;
}

Result<OverrideTable> read_override(const TomlTable& table) {
  RH_CHECK(table.allow_only({"roles", "max_ttl", "review_within"}));
  OverrideTable result;
  RH_TRY(result.roles, read_roles(table));
  RH_TRY(const auto longest, read_duration(table, "max_ttl"));
  result.max_ttl_ns = longest.value_or(4 * kHourNs);
  RH_TRY(const auto review, read_duration(table, "review_within"));
  result.review_within_ns = review.value_or(3 * kDayNs);
  return result;
}

Result<StandingTable> read_standing(const TomlTable& table) {
  RH_CHECK(table.allow_only({"runs", "days", "distinct_days", "ttl", "resample", "roles"}));
  StandingTable result;
  const std::pair<std::string_view, std::int64_t*> numbers[] = {
      {"runs", &result.runs}, {"days", &result.days}, {"distinct_days", &result.distinct_days}};
  for (const auto& [key, number] : numbers) {
    RH_TRY(const auto value, table.integer(key, 1, 100'000));
    *number = value.value_or(*number);
  }
  if (result.distinct_days > result.days)
    return table.error("distinct_days is more than days", "no run would ever qualify: lower it");
  RH_TRY(const auto resample, table.integer("resample", 2, 100'000));
  result.resample = resample.value_or(result.resample);
  RH_TRY(const auto ttl, read_duration(table, "ttl"));
  result.ttl_ns = ttl.value_or(30 * kDayNs);
  RH_TRY(result.roles, read_roles(table));
  return result;
}

Result<SkipTable> read_skip(const TomlTable& table) {
  RH_CHECK(table.allow_only({"read_only", "classes"}));
  SkipTable result;
  RH_TRY(const auto read_only, table.boolean("read_only"));
  result.read_only = read_only.value_or(false);
  RH_TRY(result.classes, table.texts("classes"));
  return result;
}

}  // namespace

Result<DecisionTables> read_decision_tables(const TomlTable& root) {
  DecisionTables tables;
  RH_TRY(const auto approval, root.table("approval"));
  if (approval) {
    RH_CHECK(approval->allow_only({"green", "yellow", "red", "inconclusive"}));
    for (const std::string& level : approval->keys()) {
      RH_TRY(const auto table, approval->table(level));
      RH_TRY(tables.approvals[level], read_approval(*table));
    }
  }
  RH_TRY(const auto overriding, root.table("override"));
  if (overriding) {
    RH_TRY(tables.overriding, read_override(*overriding));
  }
  RH_TRY(const auto standing, root.table("standing"));
  if (standing) {
    RH_TRY(tables.standing, read_standing(*standing));
  }
  RH_TRY(const auto skip, root.table("skip"));
  if (skip) {
    RH_TRY(tables.skip, read_skip(*skip));
  }
  return tables;
}

void merge_decision_tables(DecisionTables from, Policy& into) {
  for (auto& [level, approval] : from.approvals) into.approvals[level] = std::move(approval);
  if (from.overriding) into.overriding = std::move(from.overriding);
  if (from.standing) into.standing = std::move(from.standing);
  if (from.skip) into.skip = std::move(*from.skip);
}

}  // namespace rehearse::verdict
