#include "promote/outgoing.h"

#include <sys/stat.h>

#include <cerrno>

#include "promote/incoming.h"
#include "promote/moved_places.h"

namespace rehearse::promote {

using effects::FileType;

Result<void> Outgoing::look(std::span<Volume* const> volumes, std::span<const Operation> operations,
                            std::int64_t looked_ns) {
  looked_ns_ = looked_ns;
  for (std::uint32_t v = 0; v < volumes.size(); ++v) moved_.push_back(moved_inodes(operations, v));
  std::set<std::string> parked;  // in the store only for a while
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kMove && operation.from.area == Area::kStore)
      parked.insert(place_key(operation, operation.from));
  }
  std::vector<std::set<std::string>> taken_before(volumes.size());
  MovedPlaces moved;
  for (const Operation& operation : operations) {
    const std::uint32_t v = operation.volume;
    const bool exchange = operation.kind == OperationKind::kExchange;
    if (operation.kind == OperationKind::kMove && operation.from.area == Area::kHost) {
      const Place from = moved.origin(v, operation.from);
      if (operation.type == FileType::kDir && operation.to.area == Area::kStore &&
          !parked.contains(place_key(operation, operation.to)))
        RH_CHECK(look_at(*volumes[v], v, from, operation.to.path, taken_before[v]));
      taken_before[v].insert(from.path);
    } else if (exchange && operation.type == FileType::kDir) {
      RH_CHECK(look_at(*volumes[v], v, moved.origin(v, operation.to), operation.from.path, taken_before[v]));
    }
    moved.take(operation);
  }
  return {};
}

Result<void> Outgoing::look_at(Volume& volume, std::uint32_t number, const Place& old,
                               const std::string& kept, const std::set<std::string>& without) {
  if (old.area == Area::kStore) return {};  // it comes from there: nothing of the host's goes
  RH_TRY(const auto st, unless_moved(volume.find(old), volume.shown(old)));
  if (!st || !S_ISDIR(st->st_mode)) return {};
  auto print = print_tree(volume.root(), old.path, {without, moved_[number], looked_ns_});
  if (!print && print.error().err == ESTALE)
    return fail(volume.shown({Area::kHost, print.error().what}) + " was changed meanwhile", ExitCode::kStale,
                "try again");
  RH_TRY(const Sha256 found, unless_moved(std::move(print), volume.shown(old)));
  all_.push_back({number, kept, volume.shown(old), found});
  return {};
}

Result<void> Outgoing::check(std::span<Volume> volumes) const {
  static const std::set<std::string> kNothing;
  for (const One& one : all_) {
    TreeScope scope{kNothing, moved_[one.volume], 0, true};
    const int store = volumes[one.volume].store();
    RH_TRY(const Sha256 print, unless_moved(print_tree(store, one.kept, scope), one.shown));
    if (print == one.print) continue;
    scope.before_ns = looked_ns_;
    const auto newest = print_tree(store, one.kept, scope);
    std::string what = one.shown;
    if (!newest && newest.error().err == ESTALE)
      what += newest.error().what.substr(one.kept.size());
    else
      what += ": something in it";
    return fail(what + " was changed meanwhile", ExitCode::kStale, "try again");
  }
  return {};
}

}  // namespace rehearse::promote
