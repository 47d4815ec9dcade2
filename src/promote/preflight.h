// What would make the renames fail half-way, or would surprise somebody: found before anything changes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "effects/change.h"
#include "promote/ground.h"
#include "promote/held_files.h"
#include "promote/operation.h"
#include "promote/promotion_plan.h"
#include "promote/volume.h"

namespace rehearse::promote {

struct PreflightInput {
  std::span<const effects::Change> changes;
  const Plan* plan = nullptr;
  std::span<Volume> volumes;  ///< of plan->layers
  std::span<const std::optional<Facts>> facts;
  std::vector<bool> adopted;  ///< per volume: nothing is copied
  HeldOpen held_open = HeldOpen::kRefuse;
  std::string state_path;  ///< rehearse's own state: never moved or removed
};

struct PreflightReport {
  std::vector<std::string> notes;     ///< raw text, a line each: what was found and is no obstacle
  std::vector<std::size_t> in_place;  ///< records to be rewritten in place
  std::vector<Touched> touched;
};

/// What the plan touches of the host, where it is now. Without `facts` (what stands there) of each object it
/// is to be looked at.
std::vector<Touched> touched_by(const Plan& plan, std::span<const effects::Change> changes,
                                std::span<const std::optional<Facts>> facts);

/// The first obstacle is an error: kUnavailable, kCantCreate for space, kTryLater for locks and open files.
Result<PreflightReport> check_preflight(const PreflightInput& input);

}  // namespace rehearse::promote
