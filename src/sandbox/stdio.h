// Whose the ends of pipes are that a program inside gets as its standard streams.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

/// As the host's kernel knows somebody inside.
struct HostIds {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// Of who the action runs as.
HostIds action_ids(const Plan& plan);

/// /dev/stdin and its like open a pipe anew, which is asked for its owner and mode: a pipe of rehearse's own
/// would refuse everybody inside, where a host's refuses nobody who holds it.
Result<void> give_pipes(std::span<const int> ends, HostIds owner);

}  // namespace rehearse::sandbox
