#include "promote/incoming.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "base/share_out.h"
#include "base/sys.h"
#include "promote/tree_print.h"

namespace rehearse::promote {
namespace {

struct Lookout {
  std::span<Volume* const> volumes;
  std::vector<TouchedInodes> touched;  ///< of each volume
};

Result<void> print_one(const Lookout& lookout, ParentCache& parents, Operation& operation) {
  static const std::set<std::string> kNothing;
  const Volume& volume = *lookout.volumes[operation.volume];
  const std::string& path = operation.from.path;
  const std::string name(leaf_of(path));
  RH_TRY(const int dir, parents.open(volume.store(), parent_of(path)));
  if (!operation.print) {
    RH_TRY(operation.print, take_print(dir, name));
  }
  RH_TRY(const struct stat st, sys::stat_at(dir, name.c_str(), AT_SYMLINK_NOFOLLOW));
  if (!S_ISDIR(st.st_mode)) return {};
  RH_TRY(operation.tree, print_tree(volume.store(), path, {kNothing, lookout.touched[operation.volume]}));
  return {};
}

}  // namespace

std::set<std::string> taken_to_store(std::span<const Operation> operations) {
  std::set<std::string> places;
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kMove && operation.to.area == Area::kStore)
      places.insert(place_key(operation, operation.to));
  }
  return places;
}

std::set<std::string> taken_from_store(std::span<const Operation> operations) {
  std::set<std::string> places;
  for (const Operation& operation : operations) {
    if (operation.kind == OperationKind::kMove && operation.from.area == Area::kStore)
      places.insert(place_key(operation, operation.from));
  }
  return places;
}

Result<void> print_incoming(std::span<Volume* const> volumes, std::span<Operation> operations) {
  const std::set<std::string> taken = taken_to_store(operations);
  Lookout lookout{volumes, {}};
  for (std::uint32_t v = 0; v < volumes.size(); ++v) lookout.touched.push_back(touched_inodes(operations, v));
  std::vector<Result<void>> printed(operations.size());
  share_out(operations.size(), [&] {
    return [&, parents = std::vector<ParentCache>(volumes.size())](std::size_t i) mutable {
      Operation& operation = operations[i];
      const bool moves = operation.kind == OperationKind::kMove || operation.kind == OperationKind::kExchange;
      if (!moves || operation.from.area != Area::kStore) return;
      if (operation.print && operation.type != effects::FileType::kDir) return;
      if (taken.contains(place_key(operation, operation.from))) return;
      printed[i] = print_one(lookout, parents[operation.volume], operation);
    };
  });
  for (Result<void>& one : printed) RH_CHECK(std::move(one));
  return {};
}

}  // namespace rehearse::promote
