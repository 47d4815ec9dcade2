// What a promotion or rollback does, or would do, a line an operation, for people and documents.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effects/change.h"
#include "promote/operation.h"
#include "promote/promotion_plan.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// One line. Paths are raw bytes.
struct Shown {
  std::string what;  ///< "put", "replace", "remove", "take out", "rename", "attributes", "time", "rewrite"
  std::string path;
  std::string from;  ///< of a rename
};

/// Of a promotion: by what the host has there now (`facts`, of each change), so that what the operator lets
/// go is not said to be new.
std::vector<Shown> list_operations(const Plan& plan, std::span<const effects::Change> changes,
                                   std::span<const std::optional<Facts>> facts);

/// One of a rollback.
Shown show_operation(const Operation& operation, const Volume& volume);

}  // namespace rehearse::promote
