// `rehearse run --plan`: what the network gate would do.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "rehearsal/network.h"

namespace rehearse {

/// A section for people, with its heading. Escaped.
std::string network_text(const NetworkPlan& plan, const Options& options);
/// The member "network" of "rehearse.plan/1".
nlohmann::json network_json(const NetworkPlan& plan, const Options& options);

}  // namespace rehearse
