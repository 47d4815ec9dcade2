// Extended attributes of the kind "trusted." of files whose attributes the action asked for.
#pragma once

#include <vector>

#include "rehearsal/host_root.h"
#include "trace/trusted_looks.h"
#include "verdict/finding.h"

namespace rehearse {

/// Asks by descriptors that open nothing.
std::vector<verdict::Gap> trusted_attributes(const trace::TrustedLooks& looks, const HostRoot& host);

}  // namespace rehearse
