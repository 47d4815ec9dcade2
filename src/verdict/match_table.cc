#include "verdict/match_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/edit_distance.h"
#include "base/units.h"
#include "verdict/path_globs.h"

namespace rehearse::verdict {
namespace {

constexpr std::string_view kNot = "not_";
constexpr std::string_view kAtLeast = "at_least";
constexpr std::string_view kAtMost = "at_most";
constexpr std::string_view kOnly = "only";
constexpr std::int64_t kMost = INT64_MAX;

Result<void> check_word(const TomlTable& table, std::string_view name, const Key& key,
                        const std::string& word) {
  if (std::ranges::find(key.words, word) != key.words.end()) return {};
  const std::string_view near = nearest_word(word, key.words);
  return table.error_at(name, fmt::format("\"{}\" is not known", word.substr(0, 60)),
                        near.empty() ? fmt::format("write one of {}", fmt::join(key.words, ", "))
                                     : fmt::format("did you mean \"{}\"?", near));
}

/// A number as the key's kind writes it.
Result<std::int64_t> parse_amount(KeyKind kind, std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (kind == KeyKind::kDuration) return parse_duration(text);
  if (kind == KeyKind::kBytes) {
    RH_TRY(const auto bytes, parse_bytes(text));
    return static_cast<std::int64_t>(std::min(bytes, static_cast<std::uint64_t>(kMost)));
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return fail(fmt::format("\"{}\" is no whole number", text), ExitCode::kConfig);
  return number;
}

/// "5", "<30s", ">= 2GiB", "1000..1999".
Result<Range> parse_range(KeyKind kind, std::string_view text) {
  const auto after = [&](std::size_t size) { return parse_amount(kind, text.substr(size)); };
  if (text.starts_with("<=")) {
    RH_TRY(const auto value, after(2));
    return Range{INT64_MIN, value};
  }
  if (text.starts_with(">=")) {
    RH_TRY(const auto value, after(2));
    return Range{value, INT64_MAX};
  }
  if (text.starts_with('<')) {
    RH_TRY(const auto value, after(1));
    if (value == INT64_MIN) return fail("nothing is less than that", ExitCode::kConfig);
    return Range{INT64_MIN, value - 1};
  }
  if (text.starts_with('>')) {
    RH_TRY(const auto value, after(1));
    if (value == INT64_MAX) return fail("nothing is more than that", ExitCode::kConfig);
    return Range{value + 1, INT64_MAX};
  }
  if (const auto dots = text.find(".."); dots != std::string_view::npos) {
    RH_TRY(const auto low, parse_amount(kind, text.substr(0, dots)));
    RH_TRY(const auto high, parse_amount(kind, text.substr(dots + 2)));
    if (low > high) return fail("the range is empty", ExitCode::kConfig);
    return Range{low, high};
  }
  RH_TRY(const auto value, parse_amount(kind, text));
  return Range{value, value};
}

Result<std::vector<Range>> read_ranges(const TomlTable& table, std::string_view name, const Key& key) {
  std::vector<Range> ranges;
  const toml::node* node = table.raw().get(name);
  const auto add = [&](const toml::node& value) -> Result<void> {
    if (const auto* whole = value.as_integer()) {
      ranges.push_back({whole->get(), whole->get()});
      return {};
    }
    const auto* text = value.as_string();
    auto range = text != nullptr ? parse_range(key.kind, text->get())
                                 : Result<Range>(fail("is neither a whole number nor a text"));
    if (!range)
      return table.error_at(name, range.error().what, "write 5, \"<30\", \">=2GiB\" or \"1000..1999\"");
    ranges.push_back(*range);
    return {};
  };
  if (const toml::array* several = node->as_array()) {
    for (const toml::node& value : *several) RH_CHECK(add(value));
  } else {
    RH_CHECK(add(*node));
  }
  return ranges;
}

Result<Condition> read_condition(const TomlTable& table, const std::string& name, std::span<const Key> keys) {
  Condition condition;
  condition.negated = std::string_view(name).starts_with(kNot);
  const std::string_view bare = condition.negated ? std::string_view(name).substr(kNot.size()) : name;
  const auto found = std::ranges::find(keys, bare, &Key::name);
  condition.key = static_cast<std::uint8_t>(found - keys.begin());
  switch (found->kind) {
    case KeyKind::kBool: {
      RH_TRY(const auto flag, table.boolean(name));
      condition.flag = *flag;
      return condition;
    }
    case KeyKind::kNumber:
    case KeyKind::kBytes:
    case KeyKind::kDuration: {
      RH_TRY(condition.ranges, read_ranges(table, name, *found));
      if (condition.ranges.empty()) break;
      return condition;
    }
    default: {
      RH_TRY(condition.patterns, table.text_or_texts(name));
      for (const std::string& pattern : condition.patterns) {
        if (found->kind == KeyKind::kWord) RH_CHECK(check_word(table, name, *found, pattern));
        if (found->kind == KeyKind::kPath) RH_CHECK(check_path_glob(table, name, pattern));
      }
      if (condition.patterns.empty()) break;
      return condition;
    }
  }
  return table.error_at(name, "is empty, and would never hold", "give it a value, or leave the key out");
}

Result<MatchTable> read_table(const TomlTable& table, Subject subject) {
  const std::span<const Key> keys = keys_of(subject).keys;
  std::vector<std::string> negated;
  for (const Key& key : keys) negated.push_back(std::string(kNot) + std::string(key.name));
  std::vector<std::string_view> allowed;
  for (const Key& key : keys) allowed.push_back(key.name);
  allowed.push_back(kAtLeast);
  allowed.push_back(kAtMost);
  allowed.insert(allowed.end(), negated.begin(), negated.end());
  RH_CHECK(table.allow_only(allowed));
  MatchTable result;
  result.subject = subject;
  RH_TRY(const auto at_least, table.integer(kAtLeast, 1, kMost));
  RH_TRY(const auto at_most, table.integer(kAtMost, 0, kMost));
  result.at_least = static_cast<std::uint64_t>(at_least.value_or(at_most ? 0 : 1));
  if (at_most) result.at_most = static_cast<std::uint64_t>(*at_most);
  if (at_most && *result.at_most < result.at_least)
    return table.error_at(kAtMost, "is less than at_least", "the table would never hold");
  for (const std::string& name : table.keys()) {
    if (name == kAtLeast || name == kAtMost) continue;
    RH_TRY(auto condition, read_condition(table, name, keys));
    result.conditions.push_back(std::move(condition));
  }
  return result;
}

Result<Envelope> read_envelope(const TomlTable& table) {
  RH_CHECK(table.allow_only({"files", "units", "net", "privileged", "accounts", "packages"}));
  Envelope only;
  RH_TRY(only.files, table.texts("files"));
  for (const std::string& glob : only.files) RH_CHECK(check_path_glob(table, "files", glob));
  RH_TRY(only.units, table.texts("units"));
  for (const std::string& unit : only.units) {
    if (unit.find(':') == std::string::npos)
      return table.error_at("units",
                            fmt::format("\"{}\" does not say what is asked of it", unit.substr(0, 60)),
                            "write \"nginx.service:reload\", or \"nginx.service:*\"");
  }
  RH_TRY(only.net, table.texts("net"));
  RH_TRY(only.privileged, table.texts("privileged"));
  RH_TRY(only.accounts, table.texts("accounts"));
  RH_TRY(only.packages, table.texts("packages"));
  return only;
}

}  // namespace

Result<void> check_path_glob(const TomlTable& table, std::string_view key, const std::string& glob) {
  const std::string fault = PathGlobs::fault(glob);
  if (fault.empty()) return {};
  return table.error_at(key, fmt::format("\"{}\" {}", glob.substr(0, 60), fault),
                        "write an absolute path; * stays within one name, ** between slashes is any depth");
}

Result<void> read_match(const TomlTable& match, Rule& rule) {
  std::vector<std::string_view> subjects;
  for (std::size_t i = 0; i < kSubjects; ++i) subjects.push_back(keys_of(static_cast<Subject>(i)).name);
  subjects.push_back(kOnly);
  RH_CHECK(match.allow_only(subjects));
  for (const std::string& name : match.keys()) {
    RH_TRY(const auto table, match.table(name));
    if (name == kOnly) {
      RH_TRY(rule.only, read_envelope(*table));
    } else {
      RH_TRY(auto read, read_table(*table, *find_subject(name)));
      rule.tables.push_back(std::move(read));
    }
  }
  if (rule.tables.empty() && !rule.only)
    return match.error("matches nothing", "add a table, such as [rule.match.file]");
  return {};
}

}  // namespace rehearse::verdict
