// From the plan to operations: joins each step with what stands on the host and with what was staged.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "effects/change.h"
#include "promote/operation.h"
#include "promote/promotion_plan.h"
#include "promote/stage.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// What the step was to remove is not there any more, and the operator has named it: there is no operation.
bool is_gone_already(const Step& step, std::span<const effects::Change> changes,
                     std::span<const std::optional<Facts>> facts);

/// Operations of one layer. `staged` belongs to `plan.stages`; `tag` begins the names of what is taken into
/// the store; `rewritten`: records to be rewritten in place, and where the old bytes are saved.
Result<std::vector<Operation>> bind_operations(std::span<const effects::Change> changes,
                                               const LayerPlan& plan, std::uint32_t volume_index,
                                               Volume& volume, std::span<const std::optional<Facts>> facts,
                                               std::span<const Staged> staged, const std::string& tag,
                                               const std::map<std::size_t, Place>& rewritten);

}  // namespace rehearse::promote
