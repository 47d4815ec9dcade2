#include "effects/package_changes.h"

#include <algorithm>
#include <map>
#include <utility>

namespace rehearse::effects {
namespace {

struct Package {
  std::string status;  ///< "install ok installed"
  std::string version;

  [[nodiscard]] bool there() const {
    const std::string_view state = std::string_view(status).substr(status.rfind(' ') + 1);
    return !state.empty() && state != "not-installed" && state != "config-files";
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
  const int order = compare_versions(now.version, old.version);
  if (order != 0) return order > 0 ? "upgraded" : "downgraded";
  return old.status == now.status ? "" : "changed";
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  if (const int epoch = compare_parts(take_epoch(a), take_epoch(b)); epoch != 0) return epoch;
  const std::string_view revision_a = take_revision(a);
  const std::string_view revision_b = take_revision(b);
  const int upstream = compare_parts(a, b);
  return upstream != 0 ? upstream : compare_parts(revision_a, revision_b);
}

std::vector<PackageChange> package_changes(std::string_view before, std::string_view after) {
  const Packages old = packages(before);
  const Packages now = packages(after);
  std::vector<PackageChange> changes;
  const auto say = [&](const std::string& name, const Package& was, const Package& is) {
    if (const char* what = what_became(was, is); *what != '\0')
      changes.push_back({what, name, was.there() ? was.version : "", is.there() ? is.version : ""});
  };
  for (const auto& [key, package] : now) {
    const auto was = old.find(key);
    say(key.first, was == old.end() ? Package{} : was->second, package);
  }
  for (const auto& [key, package] : old)
    if (!now.contains(key)) say(key.first, package, Package{});
  std::ranges::stable_sort(changes, {}, &PackageChange::name);
  return changes;
}

}  // namespace rehearse::effects
