// In what the requester had a say beside the words of the command: what makes a run another one than its
// action file speaks of, and than a run before it.
#pragma once

#include <string>
#include <vector>

#include "rehearsal/action_file.h"
#include "rehearsal/network.h"
#include "rehearse/rehearse.h"
#include "sandbox/request.h"
#include "verdict/expectation.h"

namespace rehearse {

/// Why the run is not exactly what `file` says: options, further words, the caller's directory or variables,
/// or a file that is not the one of that name. Empty: it is. `asked`: without what the file says. Standard
/// input is known when the run has ended.
std::vector<std::string> differs_from_file(const Options& asked, const ActionFile& file,
                                           const sandbox::Request& request);

/// Hex digest of everything that was chosen and is no part of command, identity and environment: what is
/// shown and hidden, network rules, the content of mocks, what is replayed, what is expected, limits, umask.
std::string digest_of_choices(const Options& options, const ActionFile* file,
                              const verdict::Expectations* expected, const NetworkPlan& network,
                              const sandbox::Request& request);

}  // namespace rehearse
