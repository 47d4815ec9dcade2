#include "promote/kept_times.h"

#include <algorithm>
#include <set>
#include <string>

#include "promote/selection.h"

namespace rehearse::promote {
namespace {

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
                                          std::span<const Operation> operations,
                                          const std::set<std::string>& timed) {
  std::set<std::string> known;
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kAttributes) continue;
    known.insert(place_key(operation, operation.from));
    known.insert(place_key(operation, operation.to));
  }
  std::vector<Operation> times;
  const auto keep = [&](const Operation& operation, const Place& changed) -> Result<void> {
    if (changed.area != Area::kHost) return {};
    Operation time;
    time.kind = OperationKind::kAttributes;
    time.volume = operation.volume;
    time.type = effects::FileType::kDir;
    time.from = time.to = {Area::kHost, std::string(parent_of(changed.path))};
    const std::string key = place_key(time, time.to);
    if (operation.kind == OperationKind::kMove && !timed.contains(key)) return {};
    if (!known.insert(key).second || moves_away(operations, time)) return {};
    const auto found = volumes[time.volume]->find(time.to);
    if (!found) {
      if (leads_nowhere(found.error().err)) return {};
      return tl::make_unexpected(found.error());
    }
    if (!*found) return {};
    time.object = facts_of(**found);
    time.time_only = true;
    time.before.emplace().mtime_ns = time.object.mtime_ns;
    time.after = time.before;
    times.push_back(std::move(time));
    return {};
  };
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kExchange && operation.kind != OperationKind::kMove) continue;
    RH_CHECK(keep(operation, operation.to));
    if (operation.kind == OperationKind::kMove) RH_CHECK(keep(operation, operation.from));
  }
  return times;
}

}  // namespace rehearse::promote
