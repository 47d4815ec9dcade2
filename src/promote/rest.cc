#include "promote/rest.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <unordered_map>
#include <utility>

#include "promote/parting.h"

namespace rehearse::promote {
namespace {

using Paths = std::vector<std::string>;

/// Adds what has changed, as a whole: what one operation put, took or set goes together.
void leave_out(const std::vector<Paths>& groups, const std::vector<bool>& in_effect, const Journal& promotion,
               const Moved& moved, std::set<std::string>& out) {
  const Paths* best = nullptr;
  std::size_t length = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!in_effect[i] || promotion.operations[i].time_only) continue;
    for (const std::string& path : groups[i]) {
      if (!is_below(moved.path, path) || (best != nullptr && path.size() >= length)) continue;
      best = &groups[i];
      length = path.size();
    }
  }
  if (best == nullptr)
    out.insert(moved.path);
  else
    out.insert(best->begin(), best->end());
}

/// True: something was added.
bool complete(const std::vector<Paths>& groups, const std::vector<bool>& in_effect, Selection& selection) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!in_effect[i]) continue;
    const auto taken =
        std::ranges::count_if(groups[i], [&](const std::string& path) { return selection.takes(path); });
    if (taken == 0 || static_cast<std::size_t>(taken) == groups[i].size()) continue;
    for (const std::string& path : groups[i])
      if (selection.takes(path)) selection.except.push_back(path);
    return true;
  }
  return false;
}

}  // namespace

std::vector<Paths> paths_of_operations(const Journal& promotion) {
  std::vector<Paths> all;
  std::unordered_map<std::string, std::string> parked;  // store place -> host path it came from
  for (const Operation& operation : promotion.operations) {
    const auto shown = [&](const Place& place) {
      return promotion.volumes[operation.volume].shown(place.path);
    };
    const bool moves = operation.kind == OperationKind::kMove;
    Paths& paths = all.emplace_back();
    if (operation.from.area == Area::kHost && moves) paths.push_back(shown(operation.from));
    if (operation.to.area == Area::kHost) paths.push_back(shown(operation.to));
    if (!moves) continue;
    if (operation.to.area == Area::kStore) parked[place_key(operation, operation.to)] = paths.front();
    if (operation.from.area != Area::kStore) continue;
    if (const auto from = parked.find(place_key(operation, operation.from)); from != parked.end())
      paths.push_back(from->second);
  }
  return all;
}

std::optional<Paths> left_out_for_the_rest(const Journal& promotion, const std::vector<bool>& in_effect,
                                           const Selection& selection, std::span<const Moved> moved) {
  const std::vector<Paths> groups = paths_of_operations(promotion);
  std::set<std::string> out;
  for (const Moved& one : moved) leave_out(groups, in_effect, promotion, one, out);
  Selection rest = selection;
  rest.except.insert(rest.except.end(), out.begin(), out.end());
  while (complete(groups, in_effect, rest)) {
  }
  std::vector<std::size_t> taken;
  std::vector<std::size_t> left;
  bool any = false;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!in_effect[i]) continue;
    const bool takes =
        std::ranges::any_of(groups[i], [&](const std::string& path) { return rest.takes(path); });
    (takes ? taken : left).push_back(i);
    any = any || (takes && !promotion.operations[i].time_only);
  }
  if (!any || !check_parting(promotion, taken, left)) return std::nullopt;
  // One above another says it all.
  Paths more(rest.except.begin() + static_cast<std::ptrdiff_t>(selection.except.size()), rest.except.end());
  std::ranges::sort(more);
  more.erase(std::unique(more.begin(), more.end()), more.end());
  const Paths all = more;
  std::erase_if(more, [&](const std::string& path) {
    return std::ranges::any_of(
        all, [&](const std::string& other) { return other != path && is_below(path, other); });
  });
  return more;
}

}  // namespace rehearse::promote
