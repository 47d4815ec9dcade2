#include "promote/completion.h"

#include <unordered_set>

#include "base/clock.h"
#include "promote/object_writer.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

/// Where nothing was set somebody else's attributes would be written over.
Result<bool> is_set(Site& site, const Operation& operation) {
  if (!operation.after) return true;
  const bool directory = operation.type == FileType::kDir;
  RH_TRY(const Look there, site.look(operation, End::kTo));
  if (!there.is(operation.object.ino)) return false;
  const std::int64_t mtime_ns = to_ns(there.st.st_mtim);
  if (operation.time_only) {
    if (!directory) return mtime_ns == operation.after->mtime_ns;
    // With the old time it was not even worked in.
    return !operation.before || operation.before == operation.after || mtime_ns != operation.before->mtime_ns;
  }
  RH_TRY(const Spot at, site.spot(operation, End::kTo));
  RH_TRY(Settings now, read_settings(at.dir, at.name, operation.type));
  if (directory) now.mtime_ns = operation.after->mtime_ns;
  return now == *operation.after;
}

}  // namespace

Result<bool> all_done(Site& site, std::span<const Operation> operations) {
  std::unordered_set<std::string> moved_on;
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kMove)
      moved_on.insert(std::to_string(operation.volume) + (operation.from.area == Area::kHost ? 'h' : 's') +
                      operation.from.path);
  }
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kRewrite) return false;  // its bytes would have to be compared
    if (operation.kind == OperationKind::kAttributes) {
      RH_TRY(const bool set, is_set(site, operation));
      if (!set) return false;
      continue;
    }
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

Result<void> give_times(Site& site, std::span<const Operation> operations) {
  site.forget();
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kAttributes || operation.type != FileType::kDir || !operation.after)
      continue;
    RH_TRY(const Look there, site.look(operation, End::kTo));
    if (!there.is(operation.object.ino)) continue;
    RH_TRY(const Spot at, site.spot(operation, End::kTo));
    RH_CHECK(set_time(at.dir, at.name, operation.after->mtime_ns));
  }
  return {};
}

}  // namespace rehearse::promote
