// The rules as the hooks in the kernel have them (bpf/events.h): a list, of which the first that fits
// decides, the same as decide().
#pragma once

#include <set>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "bpf/events.h"
#include "gate/rules.h"

namespace rehearse::gate {

struct KernelRules {
  std::vector<struct rh_rule> rules;
  std::vector<NameTarget> names;  ///< what the rules by name are for, in the order of their bits
  /// What the kernel records as the number of the rule, less one, stands for.
  std::vector<Decision> decisions;
  std::uint16_t verdict = RH_DENY;  ///< of what no rule is for
  std::uint16_t error = 0;
};

/// The pointers in it lie within `rules`. kConfig with the remedy if there are more than the kernel takes.
Result<KernelRules> flatten(const Rules& rules);

/// Fills a zeroed `gate` and switches it on, which is the last thing that the kernel sees.
void switch_on(const KernelRules& rules, struct rh_gate& gate);

/// Where servers that are started inside are reached, besides loopback. Before switch_on(). False: there are
/// more than RH_OWN, and the rest is like addresses outside.
bool own_addresses(const std::set<IpAddress>& own, struct rh_gate& gate);

}  // namespace rehearse::gate
