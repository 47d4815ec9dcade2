// From a manifest to the ordered list of renames that turns the host's tree into the rehearsed one. Pure: it
// looks at nothing but its arguments.
//
// Of each layer, in order: everything that goes away or elsewhere is taken out (deepest first, by its path on
// the host as it is); everything that comes is put in (parents first, by its path as it will be); then
// attributes and times of what stays. A directory that only changes its name, into a place that no other
// change concerns, is one rename in the first phase.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "effects/change.h"
#include "promote/operation.h"
#include "promote/selection.h"

namespace rehearse::promote {

/// A new object that must lie ready in the store.
struct StageItem {
  enum class How : std::uint8_t {
    kWhole,      ///< the upper's object, a directory with everything below
    kDirectory,  ///< an empty directory with the recorded attributes: what comes into it comes one by one
  };
  How how = How::kWhole;
  std::size_t change = 0;  ///< index of the record whose `after` it is to have
  std::string path;        ///< in the upper, relative
};

/// One operation before anybody has looked at the host. Places in the store are known only once staged.
struct Step {
  static constexpr std::size_t kNone = SIZE_MAX;
  OperationKind kind = OperationKind::kMove;
  effects::FileType type = effects::FileType::kFile;
  std::size_t change = kNone;  ///< record it carries out; none: a parent directory's time
  Place from;                  ///< kHost: what stands there now. Empty kStore path: see `stage`, `parked`
  Place to;
  std::size_t stage = kNone;   ///< kMove, kExchange: the new object
  std::size_t parked = kNone;  ///< kMove: the step that took the object out
  bool to_kept = false;        ///< kMove: into the store
  bool entries = false;        ///< kMove of a directory from which earlier steps took something
  std::string origin;  ///< kAttributes, kExchange: where the old object stands before the first operation
  bool restore_time = false;  ///< kAttributes without a record: the directory gets the time it had
};

struct LayerPlan {
  std::uint32_t layer = 0;
  std::string mountpoint;
  std::vector<Step> steps;
  std::vector<StageItem> stages;
};

struct LeftOut {
  std::string path;
  std::string why;
};

struct Plan {
  std::vector<LayerPlan> layers;
  /// Of each record: where its `before` stands, or what had been made there meanwhile would; relative to the
  /// mount.
  std::vector<std::string> origins;
  std::vector<bool> taken;  ///< of each record: selected
  std::vector<LeftOut> left_out;
};

struct PlanLayer {
  std::uint32_t layer = 0;
  std::string mountpoint;
};

/// True if the host's object at `path` (relative to the layer) is the one that `before` describes. Asked only
/// of what is deleted below a name that another directory has got since.
using StandsAt =
    std::function<bool(std::uint32_t layer, const std::string& path, const effects::Attributes& before)>;

/// Refusals are kDataError: a manifest that contradicts itself, a selection that cannot be carried out by
/// itself, a record that may not be promoted.
Result<Plan> make_plan(std::span<const effects::Change> changes, std::span<const PlanLayer> layers,
                       const Selection& selection, const StandsAt& stands_at);

}  // namespace rehearse::promote
