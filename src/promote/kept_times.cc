#include "promote/kept_times.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <tuple>

#include "promote/selection.h"

namespace rehearse::promote {
namespace {

using Key = std::tuple<std::uint32_t, Area, std::string>;

Key key(const Operation& operation, const Place& place) {
  return {operation.volume, place.area, place.path};
}

/// An operation takes the directory itself, or one above it, away from its place.
bool moves_away(std::span<const Operation> operations, const Operation& time) {
  return std::any_of(operations.begin(), operations.end(), [&](const Operation& other) {
    return other.kind == OperationKind::kMove && other.volume == time.volume &&
           other.from.area == Area::kHost && !other.from.path.empty() &&
           is_below(time.to.path, other.from.path);
  });
}

}  // namespace

Result<std::vector<Operation>> kept_times(std::span<Volume* const> volumes,
                                          std::span<const Operation> operations) {
  std::set<Key> known;
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kAttributes) continue;
    known.insert(key(operation, operation.from));
    known.insert(key(operation, operation.to));
  }
  std::vector<Operation> times;
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kExchange) continue;
    Operation time;
    time.kind = OperationKind::kAttributes;
    time.volume = operation.volume;
    time.type = effects::FileType::kDir;
    time.from = time.to = {Area::kHost, std::string(parent_of(operation.to.path))};
    if (!known.insert(key(time, time.to)).second || moves_away(operations, time)) continue;
    const auto found = volumes[time.volume]->find(time.to);
    if (!found) {
      const int err = found.error().err;
      if (leads_nowhere(err)) continue;
      return tl::make_unexpected(found.error());
    }
    if (!*found) continue;
    time.object = facts_of(**found);
    time.time_only = true;
    time.before.emplace().mtime_ns = time.object.mtime_ns;
    time.after = time.before;
    times.push_back(std::move(time));
  }
  return times;
}

}  // namespace rehearse::promote
