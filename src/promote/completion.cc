#include "promote/completion.h"

#include <sys/stat.h>

#include <set>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "effects/attributes.h"
#include "promote/incoming.h"
#include "promote/object_writer.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

/// The operation's object stands where it is put.
Result<bool> is_there(Site& site, const Operation& operation, const Look& there, std::int64_t ready_ns) {
  if (!there.is(operation.object.ino)) return false;
  RH_TRY(const bool another, site.is_new(operation, End::kTo, ready_ns));
  return !another;
}

/// Where nothing was set somebody else's attributes would be written over.
Result<bool> is_set(Site& site, const Operation& operation, std::int64_t ready_ns) {
  if (!operation.after) return true;
  const bool directory = operation.type == FileType::kDir;
  RH_TRY(const Look there, site.look(operation, End::kTo));
  RH_TRY(const bool ours, is_there(site, operation, there, ready_ns));
  if (!ours) return false;
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

Result<bool> all_done(Site& site, std::span<const Operation> operations, std::int64_t ready_ns) {
  std::unordered_set<std::string> moved_on;
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kMove)
      moved_on.insert(std::to_string(operation.volume) + (operation.from.area == Area::kHost ? 'h' : 's') +
                      operation.from.path);
  }
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kRewrite) return false;  // its bytes would have to be compared
    if (operation.kind == OperationKind::kAttributes) {
      RH_TRY(const bool set, is_set(site, operation, ready_ns));
      if (!set) return false;
      continue;
    }
    const bool parked = operation.to.area == Area::kStore &&
                        moved_on.contains(std::to_string(operation.volume) + 's' + operation.to.path);
    if (parked) continue;
    RH_TRY(const Look there, site.look(operation, End::kTo));
    RH_TRY(const bool ours, is_there(site, operation, there, ready_ns));
    if (!ours) return false;
  }
  return true;
}

Result<bool> are_untouched(Site& site, std::span<const Operation> operations) {
  const std::set<std::string> parked = taken_from_store(operations);
  std::set<std::pair<std::uint32_t, std::uint64_t>> set;  // by these operations, under whichever name
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kAttributes) set.emplace(operation.volume, operation.object.ino);
  }
  for (const Operation& operation : operations) {
    const bool exchange = operation.kind == OperationKind::kExchange;
    const bool taken = operation.kind == OperationKind::kMove && operation.to.area == Area::kStore &&
                       !parked.contains(place_key(operation, operation.to));
    if (!exchange && !taken) continue;
    const End end = exchange ? End::kFrom : End::kTo;
    const Facts& then = exchange ? operation.displaced : operation.object;
    RH_TRY(const Look look, site.look(operation, end));
    // What is not there any more cannot be given back.
    if (!look.is(then.ino) || S_ISDIR(look.st.st_mode)) continue;
    const Facts now = facts_of(look.st);
    if (now.size != then.size) return false;
    if (set.contains({operation.volume, then.ino})) continue;
    if (now.mtime_ns != then.mtime_ns) return false;
    const auto& print = exchange ? operation.displaced_print : operation.print;
    if (!print) continue;
    RH_TRY(const Spot at, site.spot(operation, end));
    RH_TRY(const bool same, has_print(at.dir, at.name, effects::file_type(look.st), *print));
    if (!same) return false;
  }
  return true;
}

Result<void> give_settings(Site& site, const Operation& operation) {
  if (!operation.after) return {};
  RH_TRY(const Spot at, site.spot(operation, End::kTo));
  if (operation.time_only) return set_time(at.dir, at.name, operation.after->mtime_ns);
  return apply_settings(at.dir, at.name, operation.type, *operation.after);
}

Result<void> give_times(Site& site, std::span<const Operation> operations, std::int64_t ready_ns) {
  site.forget();
  for (const Operation& operation : operations) {
    if (operation.kind != OperationKind::kAttributes || operation.type != FileType::kDir || !operation.after)
      continue;
    RH_TRY(const Look there, site.look(operation, End::kTo));
    RH_TRY(const bool ours, is_there(site, operation, there, ready_ns));
    if (!ours) continue;
    RH_TRY(const Spot at, site.spot(operation, End::kTo));
    RH_CHECK(set_time(at.dir, at.name, operation.after->mtime_ns));
  }
  return {};
}

}  // namespace rehearse::promote
