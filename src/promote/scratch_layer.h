// A stand-in in memory for one layer of the host, made from the manifest alone: every object that a run
// changed, as it was before, without content; and what a promotion would stage, likewise. Operations can be
// tried on it, since they are renames and attributes.
#pragma once

#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "effects/change.h"
#include "promote/promotion_plan.h"
#include "promote/stage.h"
#include "promote/volume.h"

namespace rehearse::promote {

class ScratchLayer {
 public:
  /// A filesystem of its own that nothing but this object's descriptors lead to, and that ends with them.
  /// `changes`: as `portable` made them; borrowed, like the plan.
  static Result<ScratchLayer> make(std::span<const effects::Change> changes, const Plan& plan,
                                   const LayerPlan& layer, const std::string& run);

  [[nodiscard]] Volume& volume() { return volume_; }
  /// What stands where record `i` had its object before; `facts` is of all records.
  Result<void> find_facts(std::vector<std::optional<Facts>>& facts);
  /// Objects with the recorded attributes in the store, one for each of the layer's stages.
  Result<std::vector<Staged>> stage(const std::string& tag);
  /// Every object but the store's: relative path -> its inode and everything that can be seen of it.
  Result<std::map<std::string, std::string>> print();

 private:
  ScratchLayer(std::span<const effects::Change> changes, const Plan& plan, const LayerPlan& layer)
      : changes_(changes), plan_(plan), layer_(layer) {}
  Result<void> build();
  Result<void> make_parents(const Place& place);
  Result<void> make_object(const Place& place, effects::FileType type, const effects::Attributes& attributes,
                           std::unordered_map<std::uint64_t, Place>& links);
  Result<void> stage_tree(const Place& place, std::size_t change);
  Result<void> set_times(const std::vector<std::pair<Place, std::size_t>>& directories, bool after);

  std::span<const effects::Change> changes_;
  const Plan& plan_;
  const LayerPlan& layer_;
  Volume volume_;
  std::map<std::string, std::size_t> now_;  ///< records with an object after, by relative path
  std::unordered_map<std::uint64_t, Place> staged_links_;
};

/// The changes without what a filesystem in memory does not take on this kernel: inode flags, and user
/// attributes before Linux 6.6.
Result<std::vector<effects::Change>> portable(std::span<const effects::Change> changes);

}  // namespace rehearse::promote
