#include "promote/rest.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "promote/parting.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

using Paths = std::vector<std::string>;
using FileKey = std::pair<std::uint32_t, std::uint64_t>;  ///< volume, and inode in the run's layer

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

/// By path, the operation that brings what is there and below.
using Bringers = std::unordered_map<std::string_view, std::size_t>;

std::optional<std::size_t> bringer_of(const Bringers& bringers, const Journal& promotion,
                                      const std::string& path) {
  for (std::string_view at = path; !at.empty(); at = parent_of(at)) {
    const auto found = bringers.find(at);
    if (found == bringers.end()) continue;
    const OperationKind kind = promotion.operations[found->second].kind;
    if (at.size() == path.size() || kind == OperationKind::kMove || kind == OperationKind::kExchange)
      return found->second;
  }
  return std::nullopt;
}

/// Taken back by one of its names alone, a file would be parted from what it is under the others.
void join_names(const Journal& promotion, const std::vector<bool>& in_effect, const RecordedObjects& after,
                std::vector<Paths>& all) {
  std::vector<std::string> places(all.size());
  Bringers bringers;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Operation& operation = promotion.operations[i];
    if (!in_effect[i] || operation.time_only || operation.to.area != Area::kHost) continue;
    places[i] = promotion.volumes[operation.volume].shown(operation.to.path);
    // What is set of a directory brings nothing into it.
    if (operation.kind == OperationKind::kAttributes)
      bringers.emplace(places[i], i);
    else
      bringers[places[i]] = i;
  }
  std::map<FileKey, std::set<std::size_t>> files;
  for (const auto& [path, object] : after) {
    if (object.first == effects::FileType::kDir || object.second.nlink < 2) continue;
    if (const auto i = bringer_of(bringers, promotion, path))
      files[{promotion.operations[*i].volume, object.second.ino}].insert(*i);
  }
  // All at the first, and the first at all others: whoever takes some of them takes one of these in part.
  const std::vector<Paths> own = all;
  for (const auto& [file, operations] : files) {
    const std::size_t first = *operations.begin();
    const std::string& name = own[first].front();
    for (const std::size_t i : operations) {
      if (i == first) continue;
      all[first].insert(all[first].end(), own[i].begin(), own[i].end());
      if (std::ranges::find(all[i], name) == all[i].end()) all[i].push_back(name);
    }
  }
}

}  // namespace

std::vector<Paths> paths_of_operations(const Journal& promotion, const std::vector<bool>& in_effect,
                                       const RecordedObjects& after) {
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
  join_names(promotion, in_effect, after, all);
  return all;
}

std::optional<Paths> left_out_for_the_rest(const Journal& promotion, const std::vector<bool>& in_effect,
                                           const RecordedObjects& after, const Selection& selection,
                                           std::span<const Moved> moved) {
  const std::vector<Paths> groups = paths_of_operations(promotion, in_effect, after);
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
