// What operations bring from the store onto the host, looked at before the first of them: by this an undoing
// tells it from what somebody has made of it on the host.
#pragma once

#include <set>
#include <span>
#include <string>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Places of stores (place_key) to which operations take objects of the host, for a while or for good.
std::set<std::string> taken_to_store(std::span<const Operation> operations);

/// Those from which operations take objects to the host; what others have put there before was there for a
/// while.
std::set<std::string> taken_from_store(std::span<const Operation> operations);

/// Fills in what directories hold (`Operation::tree`), and the print of what has none. Of several threads.
Result<void> print_incoming(std::span<Volume* const> volumes, std::span<Operation> operations);

}  // namespace rehearse::promote
