#include "promote/completion.h"

#include <unordered_set>

#include "promote/object_writer.h"

namespace rehearse::promote {

Result<bool> all_done(Site& site, std::span<const Operation> operations) {
  std::unordered_set<std::string> moved_on;
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kMove)
      moved_on.insert(std::to_string(operation.volume) + (operation.from.area == Area::kHost ? 'h' : 's') +
                      operation.from.path);
  }
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kRewrite) return false;  // its bytes would have to be compared
    if (operation.kind == OperationKind::kAttributes) continue;
    const bool parked = operation.to.area == Area::kStore &&
                        moved_on.contains(std::to_string(operation.volume) + 's' + operation.to.path);
    if (parked) continue;
    RH_TRY(const Look there, site.look(operation, End::kTo));
    if (!there.is(operation.object.ino)) return false;
  }
  return true;
}

Result<void> give_settings(Site& site, const Operation& operation) {
  if (!operation.after) return {};
  RH_TRY(const Spot at, site.spot(operation, End::kTo));
  if (operation.time_only) return set_time(at.dir, at.name, operation.after->mtime_ns);
  return apply_settings(at.dir, at.name, operation.type, *operation.after);
}

Result<std::vector<std::string>> give_all_settings(Site& site, std::span<const Operation> operations) {
  std::vector<std::string> left;
  site.forget();
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kAttributes || !operation.after) continue;
    RH_TRY(const Look there, site.look(operation, End::kTo));
    if (there.is(operation.object.ino)) {
      RH_CHECK(give_settings(site, operation));
    } else if (!operation.time_only) {
      left.push_back(
          site.shown(operation, End::kTo) +
          ": somebody moved, replaced or removed it meanwhile; its attributes are left as they are");
    }
  }
  return left;
}

}  // namespace rehearse::promote
