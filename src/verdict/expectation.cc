#include "verdict/expectation.h"

#include <algorithm>

#include "base/units.h"

namespace rehearse::verdict {
namespace {

constexpr std::size_t kMostListed = 20;

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

std::string less_than_time(std::int64_t ns) {
  return "<" + format_duration(ns);
}
std::string less_than_bytes(std::uint64_t bytes) {
  return "<" + format_bytes(bytes);
}

void note(ChangedPaths::Unexpected& list, std::string_view path) {
  ++list.count;
  if (list.first.size() < kMostListed) list.first.emplace_back(path);
}

bool allows(const std::vector<std::string>& allowed, const Happened::Asked& asked) {
  const std::string unit = asked.unit.empty() ? "manager" : asked.unit;
  return std::ranges::any_of(
      allowed, [&](const std::string& item) { return item == unit || item == unit + ':' + asked.request; });
}

std::string listed(const ChangedPaths::Unexpected& list) {
  if (list.count == 0) return "nothing else";
  return list.first.front() + (list.count > 1 ? " and " + std::to_string(list.count - 1) + " more" : "");
}

std::string wanted_of(const Probe& probe) {
  std::string text = joined(probe.run, " ") + ": exit " + std::to_string(probe.exit);
  for (const std::string& part : probe.stdout_contains) text += ", prints \"" + part + '"';
  return text;
}

Expectation compare_probe(const Probe& probe, const ProbeOutcome* outcome) {
  Expectation row{"probe", wanted_of(probe), "not run", false};
  if (outcome == nullptr) return row;
  if (!outcome->ran) {
    row.got = "not run: " + outcome->why_not;
    return row;
  }
  if (outcome->timed_out) {
    row.got = "ended after " + format_duration(probe.timeout_ns);
  } else if (!outcome->error.empty()) {
    row.got = "not started: " + outcome->error;
  } else if (outcome->signal) {
    row.got = "killed by signal " + std::to_string(*outcome->signal);
  } else {
    row.got = "exit " + std::to_string(outcome->exit.value_or(-1));
    row.met = outcome->exit == probe.exit;
    for (const std::string& part : probe.stdout_contains) {
      if (outcome->out.find(part) != std::string::npos) continue;
      row.met = false;
      row.got += ", does not print \"" + part + '"';
    }
  }
  return row;
}

/// Rules by what was expected.
struct Rule {
  const char* what;
  const char* rule;
  const char* why;
};
constexpr Rule kRules[] = {
    {"exit", "expect.exit", "The command ended in another way than was declared."},
    {"wall", "expect.wall", "The command took longer than was declared."},
    {"cpu", "expect.cpu", "The command computed for longer than was declared."},
    {"memory", "expect.memory", "The command used more memory than was declared."},
    {"write", "expect.write", "The command wrote more than was declared."},
    {"may_change", "expect.may-change", "Something changed that was not declared to."},
    {"must_change", "expect.must-change", "Something that was declared to change did not."},
    {"must_not_change", "expect.must-not-change", "Something changed that was declared not to."},
    {"net", "expect.net", "The command asked for network addresses that were not declared."},
    {"units", "expect.units", "The command asked the service manager for what was not declared."},
    {"accounts.may", "expect.accounts-may", "Users or groups changed that were not declared to."},
    {"accounts.must", "expect.accounts-must", "Users or groups that were declared to change did not."},
    {"accounts.must_not", "expect.accounts-must-not", "Users or groups changed that were declared not to."},
    {"packages.may", "expect.packages-may", "Packages changed that were not declared to."},
    {"packages.must", "expect.packages-must", "Packages that were declared to change did not."},
    {"packages.must_not", "expect.packages-must-not", "Packages changed that were declared not to."},
    {"probe", "expect.probe",
     "A probe that was run inside after the command did not find what was declared."},
};

std::string listed(const std::vector<std::string>& names, const char* none) {
  if (names.empty()) return none;
  return names.front() + (names.size() > 1 ? " and " + std::to_string(names.size() - 1) + " more" : "");
}

/// Rows of one kind. What is not all known meets nothing but what it shows to have happened.
void compare_names(const std::string& kind, const ExpectedNames& expected, const NamedChanges& happened,
                   std::vector<Expectation>& rows) {
  const std::string unknown = "not all known: " + happened.unknown;
  const bool known = happened.unknown.empty();
  if (expected.may) {
    const auto beside = picked(happened, *expected.may, false);
    const bool none = beside.empty();
    rows.push_back({kind + ".may", joined(*expected.may, " "),
                    none && !known ? unknown : listed(beside, "nothing else"), none && known});
  }
  for (const std::string& pattern : expected.must) {
    const bool met = has_change(happened, pattern);
    rows.push_back({kind + ".must", pattern, met ? "changed" : known ? "did not change" : unknown, met});
  }
  if (!expected.must_not.empty()) {
    const auto against = picked(happened, expected.must_not, true);
    const bool none = against.empty();
    rows.push_back({kind + ".must_not", joined(expected.must_not, " "),
                    none && !known ? unknown : listed(against, "none of them"), none && known});
  }
}

void declare_names(const std::string& kind, const ExpectedNames& expected, std::vector<Wanted>& all) {
  if (expected.may) all.push_back({kind + ".may", *expected.may});
  if (!expected.must.empty()) all.push_back({kind + ".must", expected.must});
  if (!expected.must_not.empty()) all.push_back({kind + ".must_not", expected.must_not});
}

/// The changes that a row only counts.
void add_names(std::string_view kind, const Happened& happened, const Expectations& expected,
               std::vector<Evidence>& evidence) {
  const bool accounts = kind.starts_with("accounts.");
  const ExpectedNames& wanted = accounts ? expected.accounts : expected.packages;
  const NamedChanges& changes = accounts ? happened.accounts : happened.packages;
  std::vector<std::string> names;
  if (kind.ends_with(".may") && wanted.may) names = picked(changes, *wanted.may, false);
  if (kind.ends_with(".must_not")) names = picked(changes, wanted.must_not, true);
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i)
    evidence.push_back({accounts ? "account" : "package", names[i]});
  if (names.size() > kMostListed)
    evidence.push_back({"count", std::to_string(names.size() - kMostListed) + " more"});
}

void add_details(const char* what, const ChangedPaths& paths, const Happened& happened,
                 const Expectations& expected, std::vector<Evidence>& evidence) {
  const std::string_view kind = what;
  const auto files = [&](const ChangedPaths::Unexpected& list) {
    for (const std::string& path : list.first) evidence.push_back({"file", path});
    if (list.count > list.first.size())
      evidence.push_back({"count", std::to_string(list.count - list.first.size()) + " more"});
  };
  if (kind == "may_change") files(paths.beside());
  if (kind == "must_not_change") files(paths.against());
  if (kind.starts_with("accounts.") || kind.starts_with("packages."))
    add_names(kind, happened, expected, evidence);
  if (kind == "net") {
    for (std::size_t i = 0; i < std::min(happened.network.size(), kMostListed); ++i)
      evidence.push_back({"network", happened.network[i]});
    if (happened.network.size() > kMostListed)
      evidence.push_back({"count", std::to_string(happened.network.size() - kMostListed) + " more"});
  }
  if (kind == "units" && expected.units) {
    std::size_t shown = 0;
    for (const auto& asked : happened.units) {
      if (allows(*expected.units, asked) || shown++ >= kMostListed) continue;
      evidence.push_back({"unit", asked.unit + ':' + asked.request});
    }
  }
}

}  // namespace

bool Expectations::any() const {
  return exit || wall_ns || cpu_ns || memory_bytes || write_bytes || may_change || !must_change.empty() ||
         !must_not_change.empty() || net || units || accounts.any() || packages.any() || !probes.empty();
}

std::vector<Wanted> declared(const Expectations& expected) {
  std::vector<Wanted> all;
  if (expected.exit) all.push_back({"exit", {std::to_string(*expected.exit)}});
  if (expected.wall_ns) all.push_back({"wall", {less_than_time(*expected.wall_ns)}});
  if (expected.cpu_ns) all.push_back({"cpu", {less_than_time(*expected.cpu_ns)}});
  if (expected.memory_bytes) all.push_back({"memory", {less_than_bytes(*expected.memory_bytes)}});
  if (expected.write_bytes) all.push_back({"write", {less_than_bytes(*expected.write_bytes)}});
  if (expected.may_change) all.push_back({"may_change", *expected.may_change});
  if (!expected.must_change.empty()) all.push_back({"must_change", expected.must_change});
  if (!expected.must_not_change.empty()) all.push_back({"must_not_change", expected.must_not_change});
  if (expected.net) all.push_back({"net", *expected.net});
  if (expected.units) all.push_back({"units", *expected.units});
  declare_names("accounts", expected.accounts, all);
  declare_names("packages", expected.packages, all);
  for (const Probe& probe : expected.probes) all.push_back({"probe", {wanted_of(probe)}});
  return all;
}

ChangedPaths::ChangedPaths(const Expectations& expected)
    : limited_(expected.may_change.has_value()), changed_(expected.must_change.size(), false) {
  if (limited_) may_ = add(*expected.may_change);
  must_ = add(expected.must_change);
  must_not_ = add(expected.must_not_change);
  matcher_.emplace(globs_);
}

std::vector<ChangedPaths::Pattern> ChangedPaths::add(const std::vector<std::string>& patterns) {
  std::vector<Pattern> numbers;
  for (const std::string& pattern : patterns) {
    const std::uint32_t glob = globs_.add(pattern);
    const bool deep = pattern.ends_with("/**");
    const std::string top = deep ? pattern.substr(0, std::max<std::size_t>(1, pattern.size() - 3)) : pattern;
    numbers.push_back({glob, globs_.add(top)});
  }
  return numbers;
}

std::vector<bool> ChangedPaths::matching(std::string_view path, bool below) {
  std::vector<bool> holds(globs_.size(), false);
  for (const std::uint32_t glob : matcher_->match(path, below)) holds[glob] = true;
  return holds;
}

void ChangedPaths::add(std::string_view path, std::string_view from) {
  const auto any = [](const std::vector<Pattern>& patterns, const std::vector<bool>& holds) {
    return std::ranges::any_of(patterns, [&](const Pattern& one) { return one.holds(holds); });
  };
  const std::vector<bool> now = matching(path, false);
  if (limited_ && !any(may_, now)) note(beside_, path);
  std::vector<bool> either = now;
  if (!from.empty()) {
    if (limited_ && !any(may_, matching(from, false))) note(beside_, from);
    // A renamed directory is one record: what a pattern means below its old name went with it.
    const std::vector<bool> gone = matching(from, true);
    for (std::size_t i = 0; i < either.size(); ++i) either[i] = either[i] || gone[i];
  }
  for (std::size_t i = 0; i < changed_.size(); ++i) changed_[i] = changed_[i] || must_[i].holds(either);
  if (any(must_not_, either)) note(against_, path);
}

std::vector<Expectation> compare(const Expectations& expected, const Happened& happened,
                                 const ChangedPaths& paths) {
  std::vector<Expectation> rows;
  const auto add = [&rows](const char* what, std::string wanted, std::string got, bool met) {
    rows.push_back({what, std::move(wanted), std::move(got), met});
  };
  if (expected.exit)
    add("exit", std::to_string(*expected.exit), happened.ending, happened.exit == expected.exit);
  if (expected.wall_ns)
    add("wall", less_than_time(*expected.wall_ns), format_duration(happened.wall_ns),
        happened.wall_ns < *expected.wall_ns);
  if (expected.cpu_ns)
    add("cpu", less_than_time(*expected.cpu_ns), format_duration(happened.cpu_ns),
        happened.cpu_ns < *expected.cpu_ns);
  if (expected.memory_bytes)
    add("memory", less_than_bytes(*expected.memory_bytes), format_bytes(happened.memory_bytes),
        happened.memory_bytes < *expected.memory_bytes);
  if (expected.write_bytes)
    add("write", less_than_bytes(*expected.write_bytes), format_bytes(happened.written_bytes),
        happened.written_bytes < *expected.write_bytes);
  const std::string unknown = "not known: the changes could not be read";
  if (expected.may_change)
    add("may_change", joined(*expected.may_change, " "),
        happened.paths_known ? listed(paths.beside()) : unknown,
        happened.paths_known && paths.beside().count == 0);
  for (std::size_t i = 0; i < expected.must_change.size(); ++i)
    add("must_change", expected.must_change[i],
        !happened.paths_known   ? unknown
        : paths.changed().at(i) ? "changed"
                                : "did not change",
        happened.paths_known && paths.changed().at(i));
  if (!expected.must_not_change.empty())
    add("must_not_change", joined(expected.must_not_change, " "),
        happened.paths_known ? listed(paths.against()) : unknown,
        happened.paths_known && paths.against().count == 0);
  if (expected.net)
    add("net", joined(*expected.net, " "),
        !happened.network_known    ? "not known: system calls were not recorded"
        : happened.network.empty() ? "nothing else"
                                   : happened.network.front(),
        happened.network_known && happened.network.empty());
  if (expected.units) {
    const auto beside = std::ranges::find_if(
        happened.units, [&](const auto& asked) { return !allows(*expected.units, asked); });
    const bool met = beside == happened.units.end();
    add("units", joined(*expected.units, " "), met ? "nothing else" : beside->unit + ':' + beside->request,
        met);
  }
  compare_names("accounts", expected.accounts, happened.accounts, rows);
  compare_names("packages", expected.packages, happened.packages, rows);
  for (std::size_t i = 0; i < expected.probes.size(); ++i)
    rows.push_back(
        compare_probe(expected.probes[i], i < happened.probes.size() ? &happened.probes[i] : nullptr));
  return rows;
}

std::vector<Finding> judge_expectations(const Expectations& expected,
                                        const std::vector<Expectation>& compared, const ChangedPaths& paths,
                                        const Happened& happened) {
  std::vector<Finding> findings;
  for (const Rule& rule : kRules) {
    std::vector<Evidence> evidence;
    for (const Expectation& row : compared) {
      if (row.what != rule.what || row.met) continue;
      if (evidence.size() < kMostListed)
        evidence.push_back({"expected", row.wanted.empty() ? "nothing" : row.wanted});
      if (evidence.size() < kMostListed) evidence.push_back({"got", row.got});
    }
    if (evidence.empty()) continue;
    add_details(rule.what, paths, happened, expected, evidence);
    findings.push_back({rule.rule, expected.level, "soft", std::move(evidence), rule.why,
                        "Correct the action, or what " + expected.source + " declares of it."});
  }
  return findings;
}

}  // namespace rehearse::verdict
