#include "report/change_list.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/escape.h"
#include "effects/manifest.h"
#include "report/change_text.h"
#include "report/style.h"
#include "report/text_width.h"

namespace rehearse::report {
namespace {

constexpr std::uint64_t kTerminalLines = 60;     // about a screenful; more is elided on a terminal
constexpr std::uint64_t kGroupedLines = 50'000;  // grouped in memory up to here, listed in path order beyond
constexpr std::uint64_t kGroupedBytes = 16U << 20U;

std::string owner_title(const std::string& package, const ManifestSummary::Owner& owner, const Style& style) {
  const std::string name = package.empty() ? "no package" : escape_text(package, 256);
  return fmt::format("  {}  {}\n", style.bold(name), owner_counts(owner.counts));
}

/// Owners of whom everything is in the destructive list: names and counts, together.
void write_listed_above(Writer& out, const ManifestSummary& summary, const TerminalOptions& options) {
  std::string names;
  for (const auto& [package, owner] : summary.owners) {
    if (owner.listed > 0 || owner.counts.total() == 0) continue;
    if (!names.empty()) names += ", ";
    names += package.empty() ? "no package" : escape_text(package, 256);
    names += fmt::format(" {}", owner.counts.total());
  }
  if (names.empty()) return;
  out.put(Style(options.color).dim("  listed above as destructive:\n"));
  out.put(wrap(names, 4, options.columns));
}

/// How many lines each owner may show. Small owners first get all they need, the rest is shared.
std::map<std::string, std::uint64_t> allot(const ManifestSummary& summary, bool elide) {
  std::map<std::string, std::uint64_t> budget;
  if (!elide || summary.listed <= kTerminalLines) {
    for (const auto& [package, owner] : summary.owners) budget[package] = owner.listed;
    return budget;
  }
  std::vector<std::pair<std::uint64_t, const std::string*>> order;
  for (const auto& [package, owner] : summary.owners) order.emplace_back(owner.listed, &package);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::uint64_t left = kTerminalLines;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint64_t share = std::min(order[i].first, left / (order.size() - i));
    budget[*order[i].second] = share;
    left -= share;
  }
  return budget;
}

}  // namespace

void count(effects::Counts& counts, effects::ChangeKind kind) {
  switch (kind) {
    case effects::ChangeKind::kType:
      ++counts.type;
      return;
    case effects::ChangeKind::kCreated:
      ++counts.created;
      return;
    case effects::ChangeKind::kDeleted:
      ++counts.deleted;
      return;
    case effects::ChangeKind::kRenamed:
      ++counts.renamed;
      return;
    case effects::ChangeKind::kModified:
      ++counts.modified;
      return;
    case effects::ChangeKind::kMetadata:
      ++counts.metadata;
      return;
    case effects::ChangeKind::kIdentical:
      ++counts.identical;
  }
}

Result<ManifestSummary> summarize(int manifest_fd) {
  ManifestSummary summary;
  if (manifest_fd < 0) return summary;
  RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
    summary.links.take(change);
    if (is_noise(change)) {
      ++summary.noise;
      return true;
    }
    auto& owner = summary.owners[change.package];
    count(owner.counts, change.kind);
    if (is_destructive(change)) {
      ++summary.destructive;
    } else {
      ++owner.listed;
      ++summary.listed;
      summary.listed_bytes += change.path.size() + change.from.size();
    }
    return true;
  }));
  return summary;
}

std::string owner_counts(const effects::Counts& counts) {
  if (counts.identical == 0 || counts.identical != counts.total()) return counts_line(counts);
  return fmt::format("{} file{} with one more name", counts.identical, counts.identical == 1 ? "" : "s");
}

std::string renamed_text(const std::string& from, const std::string& to) {
  return from == to ? to + "  (moved with its directory, and put back)" : from + " → " + to;
}

std::string change_line(const effects::Change& change, const TerminalOptions& options,
                        const LinkNames& links) {
  const Style style(options.color);
  const bool whole = options.columns == 0 || is_destructive(change);
  constexpr std::size_t kShown = 4096;  // bytes of a path before it is fitted to the line
  const std::size_t room = std::max<std::size_t>(options.columns, 40) - 6;
  const auto shown = [&](const std::string& path) {
    return whole ? escape_text(path) : fit_middle(escape_text(path, kShown), room);
  };
  std::string path = shown(change.path);
  if (change.kind == effects::ChangeKind::kRenamed) path = renamed_text(shown(change.from), path);
  std::string line = style.mark(change.kind) + " " + path;
  std::string more = details(change, links);
  if (more.empty()) return line;
  if (!whole) more = fit_middle(more, room);
  const bool fits = options.columns == 0 || text_width(path) + text_width(more) + 8 <= options.columns;
  line += fits ? "  " : "\n        ";
  line += style.dim(more);
  return line;
}

Result<void> write_destructive(Writer& out, const ManifestSummary& summary, int manifest_fd,
                               const TerminalOptions& options) {
  if (summary.destructive == 0) return {};
  const Style style(options.color);
  out.put(fmt::format("\n{}  {} {} deleted, replaced or overwritten, all of them:\n",
                      style.bold("Destructive"), summary.destructive,
                      summary.destructive == 1 ? "object" : "objects"));
  return effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
    if (!is_destructive(change)) return true;
    out.put("  " + change_line(change, options, summary.links));
    if (!change.package.empty()) out.put(style.dim("  [" + escape_text(change.package, 256) + "]"));
    out.put('\n');
    return !out.failed();
  });
}

Result<void> write_owners(Writer& out, const ManifestSummary& summary, int manifest_fd,
                          const TerminalOptions& options, const std::string& see) {
  if (summary.owners.empty() && summary.noise == 0) return {};
  const Style style(options.color);
  out.put(fmt::format("\n{}  + created  ~ modified  − deleted  > renamed  m metadata  t other type\n",
                      style.bold("Changes by owner")));
  const bool elide = options.columns > 0;
  const bool grouped = elide || (summary.listed <= kGroupedLines && summary.listed_bytes <= kGroupedBytes);
  if (grouped) {
    auto budget = allot(summary, elide);
    std::map<std::string, std::string> lists;
    if (summary.listed > 0) {
      RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
        if (is_noise(change) || is_destructive(change)) return true;
        auto& left = budget[change.package];
        if (left == 0) return true;
        --left;
        lists[change.package] += "    " + change_line(change, options, summary.links) + "\n";
        return true;
      }));
    }
    budget = allot(summary, elide);
    for (const auto& [package, owner] : summary.owners) {
      if (owner.listed == 0) continue;
      out.put(owner_title(package, owner, style));
      out.put(lists[package]);
      const std::uint64_t hidden = owner.listed - budget[package];
      if (hidden > 0) out.put(style.dim(fmt::format("    … {} more, see: {}\n", hidden, see)));
      const std::uint64_t above = owner.counts.total() - owner.listed;
      if (above > 0) out.put(style.dim(fmt::format("    ({} listed above as destructive)\n", above)));
    }
  } else {
    for (const auto& [package, owner] : summary.owners) {
      if (owner.listed > 0) out.put(owner_title(package, owner, style));
    }
    RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
      if (is_noise(change) || is_destructive(change)) return true;
      out.put("    " + change_line(change, options, summary.links));
      out.put(change.package.empty() ? std::string() : "  [" + escape_text(change.package, 256) + "]");
      out.put('\n');
      return !out.failed();
    }));
  }
  write_listed_above(out, summary, options);
  if (summary.noise > 0) {
    out.put(
        style.dim(fmt::format("  {} more written or touched, yet as before but for times\n", summary.noise)));
  }
  return {};
}

}  // namespace rehearse::report
