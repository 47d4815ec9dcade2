// The request that options make on this host: users, paths, secrets and the environment resolved.
#pragma once

#include "base/result.h"
#include "rehearse/rehearse.h"
#include "sandbox/request.h"

namespace rehearse {

/// kUsage names what is not on this host.
Result<sandbox::Request> make_request(const Options& options);

}  // namespace rehearse
