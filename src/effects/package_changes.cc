#include "effects/package_changes.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace rehearse::effects {
namespace {

struct Package {
  std::string status;  ///< "install ok installed"
  std::string version;
  std::string depends;
  std::string pre_depends;
  std::string provides;

  [[nodiscard]] std::string_view state() const {
    return std::string_view(status).substr(status.rfind(' ') + 1);
  }
  [[nodiscard]] bool there() const {
    return !state().empty() && state() != "not-installed" && state() != "config-files";
  }
  /// Its programs can be relied on.
  [[nodiscard]] bool whole() const {
    constexpr std::string_view kWhole[] = {"installed", "triggers-awaited", "triggers-pending"};
    return std::ranges::find(kWhole, state()) != std::end(kWhole) &&
           status.find(" reinstreq ") == std::string::npos;
  }
};
using Packages = std::map<std::pair<std::string, std::string>, Package>;  // by name and architecture

std::string_view value_of(std::string_view line, std::string_view key) {
  std::string_view value = line.substr(key.size());
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\r')) value.remove_suffix(1);
  return value;
}

Packages packages(std::string_view text) {
  Packages result;
  std::string name;
  std::string architecture;
  Package package;
  const auto end_stanza = [&] {
    if (!name.empty()) result.emplace(std::pair(name, architecture), package);
    name.clear();
    architecture.clear();
    package = {};
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) end_stanza();
    const auto take = [&](std::string_view key, std::string& into) {
      if (line.starts_with(key)) into = value_of(line, key);
    };
    take("Package:", name);
    take("Architecture:", architecture);
    take("Status:", package.status);
    take("Version:", package.version);
    take("Depends:", package.depends);
    take("Pre-Depends:", package.pre_depends);
    take("Provides:", package.provides);
  }
  end_stanza();
  return result;
}

/// Where a character stands in dpkg's order: a tilde before the end, letters before all others.
int rank(std::string_view text, std::size_t at) {
  if (at >= text.size()) return 0;
  const char c = text[at];
  if (c >= '0' && c <= '9') return 0;
  if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return c;
  return c == '~' ? -1 : static_cast<unsigned char>(c) + 256;
}

bool is_digit(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

int compare_parts(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    while ((i < a.size() && !is_digit(a, i)) || (j < b.size() && !is_digit(b, j))) {
      const int difference = rank(a, i) - rank(b, j);
      if (difference != 0) return difference;
      ++i;
      ++j;
    }
    while (i < a.size() && a[i] == '0') ++i;
    while (j < b.size() && b[j] == '0') ++j;
    int first = 0;
    while (is_digit(a, i) && is_digit(b, j)) {
      if (first == 0) first = a[i] - b[j];
      ++i;
      ++j;
    }
    if (is_digit(a, i)) return 1;
    if (is_digit(b, j)) return -1;
    if (first != 0) return first;
  }
  return 0;
}

/// Takes the epoch from the front.
std::string_view take_epoch(std::string_view& version) {
  const std::size_t colon = version.find(':');
  if (colon == std::string_view::npos) return "0";
  const std::string_view epoch = version.substr(0, colon);
  version.remove_prefix(colon + 1);
  return epoch;
}

std::string_view take_revision(std::string_view& version) {
  const std::size_t dash = version.rfind('-');
  if (dash == std::string_view::npos) return "";
  const std::string_view revision = version.substr(dash + 1);
  version = version.substr(0, dash);
  return revision;
}

const char* what_became(const Package& old, const Package& now) {
  if (!old.there()) return now.there() ? "installed" : "";
  if (!now.there()) return "removed";
  if (old.whole() && !now.whole()) return "broken";
  const int order = compare_versions(now.version, old.version);
  if (order != 0) return order > 0 ? "upgraded" : "downgraded";
  return old.status == now.status ? "" : "changed";
}

/// Calls `use` for each part, without blanks around it.
template <class Use>
void each_part(std::string_view list, char separator, Use use) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(separator), list.size());
    std::string_view part = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) use(part);
  }
}

/// "libc6 (>= 2.36)", "perl:any": the name.
std::string_view name_of(std::string_view relation) {
  return relation.substr(0, std::min(relation.find_first_of(" (:["), relation.size()));
}

/// The packages that are there, and what they provide.
std::set<std::string, std::less<>> names_there(const Packages& packages) {
  std::set<std::string, std::less<>> names;
  for (const auto& [key, package] : packages) {
    if (!package.there()) continue;
    names.insert(key.first);
    each_part(package.provides, ',', [&](std::string_view one) { names.emplace(name_of(one)); });
  }
  return names;
}

/// The first of its dependencies that was there and is not any more; versions are not looked at.
std::string_view newly_missing(const Package& package, const std::set<std::string, std::less<>>& before,
                               const std::set<std::string, std::less<>>& now) {
  std::string_view missing;
  for (const std::string* list : {&package.pre_depends, &package.depends}) {
    each_part(*list, ',', [&](std::string_view alternatives) {
      bool was = false;
      bool is = false;
      each_part(alternatives, '|', [&](std::string_view one) {
        was = was || before.contains(name_of(one));
        is = is || now.contains(name_of(one));
      });
      if (was && !is && missing.empty()) missing = alternatives;
    });
  }
  return missing;
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  if (const int epoch = compare_parts(take_epoch(a), take_epoch(b)); epoch != 0) return epoch;
  const std::string_view revision_a = take_revision(a);
  const std::string_view revision_b = take_revision(b);
  const int upstream = compare_parts(a, b);
  return upstream != 0 ? upstream : compare_parts(revision_a, revision_b);
}

bool PackageChange::touches_files() const {
  const auto state = [](std::string_view status) { return status.substr(status.rfind(' ') + 1); };
  const bool only_wanted =
      what == "changed" && !state_after.empty() && state(state_before) == state(state_after);
  return needs.empty() && !only_wanted;
}

std::string describe(const PackageChange& change) {
  std::string text = change.what + ' ' + change.name;
  if (!change.before.empty()) text += ' ' + change.before;
  if (!change.after.empty() && change.after != change.before)
    text += (change.before.empty() ? " " : " to ") + change.after;
  if (!change.needs.empty()) return text + ": " + change.needs + " is not there any more";
  const bool whole = change.state_after.ends_with(" ok installed");
  if (change.what == "changed" || change.what == "broken") {
    if (!change.state_after.empty()) text += ": " + change.state_before + ", then " + change.state_after;
  } else if (!change.after.empty() && !change.state_after.empty() && !whole) {
    text += ": " + change.state_after;
  }
  return text;
}

std::vector<Diversion> diversion_changes(std::string_view before, std::string_view after) {
  const auto pairs = [](std::string_view text) {  // three lines each: what, to where, by whom
    std::set<std::pair<std::string, std::string>> all;
    std::vector<std::string> lines;
    each_part(text, '\n', [&](std::string_view line) { lines.emplace_back(line); });
    for (std::size_t i = 0; i + 2 < lines.size(); i += 3) all.emplace(lines[i], lines[i + 1]);
    return all;
  };
  const auto old = pairs(before);
  const auto now = pairs(after);
  std::vector<Diversion> changes;
  for (const auto& [path, to] : now)
    if (!old.contains({path, to})) changes.push_back({path, to});
  for (const auto& [path, to] : old)
    if (!now.contains({path, to})) changes.push_back({to, path});
  return changes;
}

std::vector<PackageChange> package_changes(std::string_view before, std::string_view after) {
  const Packages old = packages(before);
  const Packages now = packages(after);
  std::vector<PackageChange> changes;
  const auto say = [&](const std::string& name, const Package& was, const Package& is) {
    if (const char* what = what_became(was, is); *what != '\0')
      changes.push_back({what, name, was.there() ? was.version : "", is.there() ? is.version : "", was.status,
                         is.status, ""});
  };
  for (const auto& [key, package] : now) {
    const auto was = old.find(key);
    say(key.first, was == old.end() ? Package{} : was->second, package);
  }
  for (const auto& [key, package] : old)
    if (!now.contains(key)) say(key.first, package, Package{});
  const auto names_before = names_there(old);
  const auto names_now = names_there(now);
  const bool lacks = !std::ranges::includes(names_now, names_before);
  for (const auto& [key, package] : now) {
    const auto was = old.find(key);
    if (!lacks || !package.whole() || was == old.end() || !was->second.whole()) continue;
    const std::string_view missing = newly_missing(package, names_before, names_now);
    if (!missing.empty())
      changes.push_back({"broken", key.first, was->second.version, package.version, was->second.status,
                         package.status, std::string(missing)});
  }
  std::ranges::stable_sort(changes, {}, &PackageChange::name);
  return changes;
}

}  // namespace rehearse::effects
