// How the paths of a run's read set are to be understood on the host: the action saw them after its own
// renames, and what was compared already is not compared again.
#pragma once

#include <optional>
#include <span>

#include "promote/frozen_bundle.h"
#include "promote/operation.h"
#include "promote/promotion_plan.h"
#include "promote/staleness.h"

namespace rehearse::promote {

/// `facts`: of each change, what stands now where it found its object; `moved`: what of the write set has.
ReadContext read_context(const FrozenBundle& frozen, const Plan& plan,
                         std::span<const std::optional<Facts>> facts, std::span<const Moved> moved);

}  // namespace rehearse::promote
