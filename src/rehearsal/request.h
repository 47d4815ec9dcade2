// The request that options make on this host: users, paths, secrets and the environment resolved.
#pragma once

#include <string>

#include "base/result.h"
#include "rehearse/rehearse.h"
#include "sandbox/request.h"

namespace rehearse {

/// Of an action whose caller has none.
inline constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The path of a state directory that need not exist yet.
Result<std::string> where_state_would_be(const std::string& path);

/// All but the state directory. kUsage names what is not on this host.
Result<sandbox::Request> make_request(const Options& options);

}  // namespace rehearse
