#include "rehearsal/expect_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/star_pattern.h"
#include "base/sys.h"
#include "base/units.h"
#include "gate/rule_text.h"
#include "verdict/subjects.h"
#include "verdict/wildcard.h"

namespace rehearse {
namespace {

constexpr std::string_view kSchema = "rehearse.expect/1";
constexpr std::size_t kMostItems = 1000;
constexpr std::size_t kMostProbes = 32;
constexpr std::size_t kMostProbeWords = 256;
constexpr std::size_t kLongestText = 4096;
constexpr std::int64_t kLongestProbe = 3'600'000'000'000;

/// "<30s": less than that, as `parse` reads the rest.
template <class Value>
Result<std::optional<Value>> less_than(const TomlTable& table, std::string_view key,
                                       Result<Value> (*parse)(std::string_view), const char* example) {
  RH_TRY(const auto text, table.text(key));
  if (!text) return std::nullopt;
  const std::size_t number = text->find_first_not_of(' ', 1);
  if (text->find('<') != 0 || number == std::string::npos)
    return table.error_at(key, fmt::format("\"{}\" is no upper bound", *text),
                          fmt::format("write \"{}\"", example));
  const std::string rest = text->substr(number);
  auto value = parse(rest);
  if (!value) return table.error_at(key, value.error().what, value.error().fix);
  return std::move(*value);
}

/// The list, each item as `check` accepts it: it gives what is wrong with one, and what to do.
template <class Check>
Result<std::optional<std::vector<std::string>>> items(const TomlTable& table, std::string_view key,
                                                      Check check) {
  if (!table.has(key)) return std::nullopt;
  RH_TRY(auto list, table.texts(key));
  if (list.size() > kMostItems)
    return table.error_at(key, fmt::format("has more than {} items", kMostItems), "write patterns");
  for (const std::string& item : list) {
    const auto [wrong, fix] = check(item);
    if (!wrong.empty()) return table.error_at(key, fmt::format("\"{}\" {}", item.substr(0, 200), wrong), fix);
  }
  return list;
}

using Complaint = std::pair<std::string, std::string>;

Complaint check_path(const std::string& item) {
  return {verdict::PathGlobs::fault(item), "write an absolute path or pattern: /etc/nginx/**"};
}

Complaint check_endpoint(const std::string& item) {
  const auto endpoint = gate::parse_endpoint(item);
  if (endpoint) return {};
  return {"is no endpoint: " + endpoint.error().what, endpoint.error().fix};
}

Complaint check_unit(const std::string& item) {
  const std::string unit = item.substr(0, item.find(':'));
  const bool request_missing = item.ends_with(':');
  if (!request_missing && (unit == "manager" || (unit.find('.') != std::string::npos && unit.size() <= 255)))
    return {};
  return {"is no unit", "write nginx.service, nginx.service:restart or manager:daemon-reload"};
}

/// "WHAT:NAME"; `WHAT` is a pattern of words that policies know of that subject.
Complaint check_name(const std::string& item, verdict::Subject subject) {
  const bool accounts = subject == verdict::Subject::kAccount;
  const std::string fix = accounts ? "write \"user-added:deploy\" or \"member-added:deploy:sudo\""
                                   : "write \"installed:nginx\" or \"*:libssl*\"";
  if (item.size() > kLongestPattern) return {"is too long", "write a shorter pattern"};
  const std::size_t colon = item.find(':');
  if (colon == std::string::npos || colon + 1 == item.size())
    return {"does not say what becomes of what", fix};
  const std::string what = item.substr(0, colon);
  const auto& keys = verdict::keys_of(subject).keys;
  const auto key = std::ranges::find(keys, std::string_view("what"), &verdict::Key::name);
  const auto is_meant = [&](std::string_view word) { return verdict::wildcard_matches(what, word); };
  if (key == keys.end() || std::ranges::any_of(key->words, is_meant)) return {};
  std::string words;
  for (const std::string_view word : key->words) words.append(words.empty() ? "" : ", ").append(word);
  return {"begins with no change that there is", "write one of " + words + ", or *"};
}

Result<void> read_names(const TomlTable& table, std::string_view key, verdict::Subject subject,
                        verdict::ExpectedNames& names) {
  RH_TRY(const auto lists, table.table(key));
  if (!lists) return {};
  RH_CHECK(lists->allow_only({"may", "must", "must_not"}));
  const auto check = [subject](const std::string& item) { return check_name(item, subject); };
  RH_TRY(names.may, items(*lists, "may", check));
  RH_TRY(auto must, items(*lists, "must", check));
  RH_TRY(auto must_not, items(*lists, "must_not", check));
  names.must = must.value_or(std::vector<std::string>());
  names.must_not = must_not.value_or(std::vector<std::string>());
  if (!names.any()) return lists->error("is empty", "write may = [], must = [...] or must_not = [...]");
  return {};
}

Result<void> read_lists(const TomlTable& table, verdict::Expectations& expected) {
  RH_TRY(expected.may_change, items(table, "may_change", check_path));
  RH_TRY(auto must, items(table, "must_change", check_path));
  RH_TRY(auto must_not, items(table, "must_not_change", check_path));
  expected.must_change = must.value_or(std::vector<std::string>());
  expected.must_not_change = must_not.value_or(std::vector<std::string>());
  RH_TRY(expected.net, items(table, "net", check_endpoint));
  RH_TRY(expected.units, items(table, "units", check_unit));
  RH_CHECK(read_names(table, "accounts", verdict::Subject::kAccount, expected.accounts));
  RH_CHECK(read_names(table, "packages", verdict::Subject::kPackage, expected.packages));
  return {};
}

Result<void> read_expect(const TomlTable& table, verdict::Expectations& expected) {
  RH_CHECK(table.allow_only({"exit", "wall", "cpu", "memory", "write", "may_change", "must_change",
                             "must_not_change", "net", "units", "accounts", "packages", "level"}));
  RH_TRY(const auto exit, table.integer("exit", 0, 255));
  if (exit) expected.exit = static_cast<int>(*exit);
  RH_TRY(expected.wall_ns, less_than<std::int64_t>(table, "wall", parse_duration, "<30s"));
  RH_TRY(expected.cpu_ns, less_than<std::int64_t>(table, "cpu", parse_duration, "<5s"));
  RH_TRY(expected.memory_bytes, less_than<std::uint64_t>(table, "memory", parse_bytes, "<512MiB"));
  RH_TRY(expected.write_bytes, less_than<std::uint64_t>(table, "write", parse_bytes, "<1GiB"));
  RH_CHECK(read_lists(table, expected));
  RH_TRY(const auto level, table.text("level"));
  if (level && *level != "yellow" && *level != "red")
    return table.error_at("level", fmt::format("\"{}\" is not known", *level), "write \"yellow\" or \"red\"");
  if (level == "red") expected.level = verdict::Level::kRed;
  return {};
}

Result<verdict::Probe> read_probe(const TomlTable& table) {
  RH_CHECK(table.allow_only({"run", "exit", "timeout", "stdout"}));
  verdict::Probe probe;
  RH_TRY(probe.run, table.texts("run"));
  if (probe.run.empty() || probe.run.front().empty())
    return table.error("\"run\" is missing or empty", "write run = [\"nginx\", \"-t\"]");
  std::size_t bytes = 0;
  for (const std::string& word : probe.run) bytes += word.size() + 1;
  if (probe.run.size() > kMostProbeWords || bytes > kLongestText)
    return table.error_at("run",
                          fmt::format("is longer than {} words or {} bytes", kMostProbeWords, kLongestText),
                          "put the command into a script");
  RH_TRY(const auto exit, table.integer("exit", 0, 255));
  if (exit) probe.exit = static_cast<int>(*exit);
  RH_TRY(const auto timeout, table.text("timeout"));
  if (timeout) {
    const auto parsed = parse_duration(*timeout);
    if (!parsed) return table.error_at("timeout", parsed.error().what, parsed.error().fix);
    if (*parsed <= 0 || *parsed > kLongestProbe)
      return table.error_at("timeout", fmt::format("\"{}\" is out of range", *timeout),
                            "write a time of more than 0 and at most 1h");
    probe.timeout_ns = *parsed;
  }
  RH_TRY(const auto contains, items(table, "stdout", [](const std::string& item) -> Complaint {
           if (item.empty() || item.size() > kLongestText)
             return {"is empty or too long", "write a part of what the command prints"};
           return {};
         }));
  probe.stdout_contains = contains.value_or(std::vector<std::string>());
  return probe;
}

}  // namespace

Result<verdict::Expectations> read_expectations(const TomlTable& root, const std::string& source) {
  verdict::Expectations expected;
  expected.source = source;
  RH_TRY(const auto table, root.table("expect"));
  if (table) RH_CHECK(read_expect(*table, expected));
  RH_TRY(const auto probes, root.tables("probe"));
  if (probes.size() > kMostProbes)
    return root.error_at("probe", fmt::format("there are more than {}", kMostProbes),
                         "put them into a script");
  for (const TomlTable& probe : probes) {
    RH_TRY(auto read, read_probe(probe));
    expected.probes.push_back(std::move(read));
  }
  return expected;
}

Result<verdict::Expectations> parse_expect_file(std::string_view text, const std::string& path) {
  RH_TRY(const auto file, TomlFile::parse(text, path));
  const TomlTable root = file.root();
  RH_CHECK(root.allow_only({"schema", "expect", "probe"}));
  RH_TRY(const auto schema, root.text("schema"));
  if (!schema)
    return root.error("\"schema\" is missing",
                      fmt::format("write schema = \"{}\" in the first line", kSchema));
  if (*schema != kSchema)
    return root.error_at("schema", fmt::format("\"{}\" is not known", *schema),
                         fmt::format("write \"{}\"", kSchema));
  RH_TRY(auto expected, read_expectations(root, path));
  if (!expected.any())
    return root.error("nothing is expected", "write [expect] with exit = 0, or a [[probe]]");
  return expected;
}

Result<verdict::Expectations> read_expect_file(const std::string& path) {
  auto opened = sys::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!opened)
    return fail_errno(opened.error().err, "--expect: cannot read " + path, ExitCode::kUsage,
                      "name a file as docs/action-files.md describes it");
  RH_TRY(const auto st, sys::stat_fd(opened->get()));
  if (!S_ISREG(st.st_mode)) return fail("--expect: " + path + " is not a regular file", ExitCode::kUsage);
  RH_TRY(const auto text, sys::read_all(opened->get(), kLargestExpectFile));
  return parse_expect_file(text, path);
}

}  // namespace rehearse
