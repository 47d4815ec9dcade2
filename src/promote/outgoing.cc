#include "promote/outgoing.h"

#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "promote/incoming.h"
#include "promote/moved_places.h"
#include "promote/tree_print.h"

namespace rehearse::promote {
namespace {

using effects::FileType;

/// Of the directory at `old`, before everything; nothing if none of the host's is there.
Result<std::optional<Sha256>> print_old(Volume& volume, const Place& old, const TreeScope& scope) {
  // One that comes from the store itself is nothing of the host's.
  if (old.area == Area::kStore) return std::optional<Sha256>();
  RH_TRY(const auto st, unless_moved(volume.find(old), volume.shown(old)));
  if (!st || !S_ISDIR(st->st_mode)) return std::optional<Sha256>();
  auto print = print_tree(volume.root(), old.path, scope);
  if (!print && print.error().err == ESTALE)
    return fail(volume.shown({Area::kHost, print.error().what}) + " was changed meanwhile", ExitCode::kStale,
                "try again");
  RH_TRY(const Sha256 found, unless_moved(std::move(print), volume.shown(old)));
  return std::optional(found);
}

}  // namespace

Result<void> print_outgoing(std::span<Volume* const> volumes, std::span<Operation> operations,
                            std::int64_t looked_ns) {
  std::vector<TouchedInodes> touched;
  for (std::uint32_t v = 0; v < volumes.size(); ++v) touched.push_back(touched_inodes(operations, v));
  const std::set<std::string> parked = taken_from_store(operations);
  std::vector<std::set<std::string>> taken_before(volumes.size());
  MovedPlaces moved;
  for (Operation& operation : operations) {
    const std::uint32_t v = operation.volume;
    const TreeScope scope{taken_before[v], touched[v], looked_ns};
    if (operation.kind == OperationKind::kMove && operation.from.area == Area::kHost) {
      const Place from = moved.origin(v, operation.from);
      if (operation.type == FileType::kDir && operation.to.area == Area::kStore &&
          !parked.contains(place_key(operation, operation.to))) {
        RH_TRY(operation.taken_tree, print_old(*volumes[v], from, scope));
      }
      taken_before[v].insert(from.path);
    } else if (operation.kind == OperationKind::kExchange && operation.type == FileType::kDir) {
      RH_TRY(operation.taken_tree, print_old(*volumes[v], moved.origin(v, operation.to), scope));
    }
    moved.take(operation);
  }
  return {};
}

Result<void> check_outgoing(std::span<Volume> volumes, std::span<const Operation> operations,
                            std::int64_t looked_ns) {
  static const std::set<std::string> kNothing;
  std::map<std::uint32_t, TouchedInodes> touched;
  for (const Operation& operation : operations) {
    if (!operation.taken_tree) continue;
    const std::uint32_t v = operation.volume;
    if (!touched.contains(v)) touched.emplace(v, touched_inodes(operations, v));
    const bool exchange = operation.kind == OperationKind::kExchange;
    const std::string& kept = exchange ? operation.from.path : operation.to.path;
    const std::string shown = volumes[v].shown(exchange ? operation.to : operation.from);
    TreeScope scope{kNothing, touched[v], 0, true};
    RH_TRY(const Sha256 print, unless_moved(print_tree(volumes[v].store(), kept, scope), shown));
    if (print == *operation.taken_tree) continue;
    scope.before_ns = looked_ns;
    const auto newest = print_tree(volumes[v].store(), kept, scope);
    std::string what = shown + ": something in it";
    if (!newest && newest.error().err == ESTALE) what = shown + newest.error().what.substr(kept.size());
    return fail(what + " was changed meanwhile", ExitCode::kStale, "try again");
  }
  return {};
}

}  // namespace rehearse::promote
