// Whether a part of a promotion can be taken back without the rest: a directory goes back to its old place
// together with what the promotion put into it, and what was taken out of it needs it there.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "promote/journal.h"

namespace rehearse::promote {

/// `taken`, `left_out`: numbers of the promotion's operations, ascending; others are over already. Refused
/// with kUsage, naming both, where one that is left out lies in what is taken back, or one that is taken back
/// goes into what is left out.
Result<void> check_parting(const Journal& promotion, std::span<const std::size_t> taken,
                           std::span<const std::size_t> left_out);

}  // namespace rehearse::promote
