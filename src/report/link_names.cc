#include "report/link_names.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/escape.h"

namespace rehearse::report {
namespace {

using effects::Change;
using effects::ChangeKind;

constexpr std::size_t kMostGroups = 100'000;  ///< of further ones the names are not said
constexpr std::size_t kNameLimit = 4096;

bool is_linked(const Change& change) {
  return change.after && change.after->link_group && change.type != effects::FileType::kDir;
}

/// What stands there now did not before.
bool is_fresh(const Change& change) {
  return change.kind == ChangeKind::kCreated || change.kind == ChangeKind::kType ||
         std::ranges::find(change.also, "replaced") != change.also.end();
}

/// The name stands for another object of the same content, and nothing else differs.
bool is_relinked(const Change& change) {
  return change.kind == ChangeKind::kMetadata && change.before && change.after && change.also.size() == 1 &&
         change.also.front() == "hardlink";
}

std::string relinked_text(std::uint64_t before, std::uint64_t after) {
  if (before == after) return fmt::format("another object, with other hard links ({})", after);
  return fmt::format("another object, hard links {}→{}", before, after);
}

}  // namespace

bool gained_link(const Change& change) {
  return is_linked(change) && change.before && !is_fresh(change) && !is_relinked(change) &&
         change.after->nlink > change.before->nlink;
}

void LinkNames::take(const Change& change) {
  if (!is_linked(change)) return;
  const std::pair key(change.layer, *change.after->link_group);
  auto at = groups_.find(key);
  if (at == groups_.end()) {
    if (groups_.size() >= kMostGroups) return;
    at = groups_.emplace(key, Names()).first;
  }
  std::string& name = is_fresh(change) ? at->second.fresh : at->second.kept;
  if (name.empty()) name = change.path;
}

const LinkNames::Names* LinkNames::find(const Change& change) const {
  if (!is_linked(change)) return nullptr;
  const auto found = groups_.find({change.layer, *change.after->link_group});
  return found == groups_.end() ? nullptr : &found->second;
}

std::string LinkNames::host_object(const Change& change) const {
  const Names* names = find(change);
  return names == nullptr || !is_fresh(change) ? std::string() : names->kept;
}

std::string LinkNames::text(const Change& change) const {
  if (is_relinked(change)) return relinked_text(change.before->nlink, change.after->nlink);
  if (!is_linked(change)) return {};
  const Names* names = find(change);
  if (is_fresh(change)) {
    const std::string other = names == nullptr       ? std::string()
                              : !names->kept.empty() ? names->kept
                                                     : names->fresh;
    if (!other.empty() && other != change.path) return "hard link of " + escape_text(other, kNameLimit);
    return change.after->nlink > 1 ? fmt::format("{} hard links", change.after->nlink) : std::string();
  }
  if (!gained_link(change)) return {};
  return names == nullptr || names->fresh.empty() ? "one more hard link"
                                                  : "new hard link " + escape_text(names->fresh, kNameLimit);
}

}  // namespace rehearse::report
