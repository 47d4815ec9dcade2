#include "sandbox/stdio.h"

#include <unistd.h>

#include "base/sys.h"

namespace rehearse::sandbox {

HostIds action_ids(const Plan& plan) {
  const std::uint32_t shift = plan.request.profile == Profile::kShifted ? kIdShift : 0;
  return {plan.request.identity.uid + shift, plan.request.identity.gid + shift};
}

Result<void> give_pipes(std::span<const int> ends, HostIds owner) {
  for (const int end : ends)
    if (::fchown(end, owner.uid, owner.gid) != 0) return sys::last_error("fchown", "a pipe");
  return {};
}

}  // namespace rehearse::sandbox
