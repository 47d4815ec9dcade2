// What a rollback can still take back where some of it has changed since: which paths are to be left out so
// that the others go back by themselves.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promote/journal.h"
#include "promote/rollback_binding.h"
#include "promote/selection.h"
#include "promote/staleness.h"

namespace rehearse::promote {

/// Of each operation of a promotion the paths on the host that go together: of what it renamed, both; of a
/// file with several names, all that are in effect. `after`: the run's objects.
std::vector<std::vector<std::string>> paths_of_operations(const Journal& promotion,
                                                          const std::vector<bool>& in_effect,
                                                          const RecordedObjects& after);

/// Additional paths for `selection.except`. Nothing: no selection leaves anything to take back.
std::optional<std::vector<std::string>> left_out_for_the_rest(const Journal& promotion,
                                                              const std::vector<bool>& in_effect,
                                                              const RecordedObjects& after,
                                                              const Selection& selection,
                                                              std::span<const Moved> moved);

}  // namespace rehearse::promote
