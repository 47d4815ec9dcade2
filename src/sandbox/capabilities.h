// Which capabilities an action keeps, and why: one table.
#pragma once

#include <cstdint>
#include <span>

#include "sandbox/request.h"

namespace rehearse::sandbox {

struct CapabilityRule {
  int number;
  const char* name;
  bool kept_shifted;  ///< in the user namespace, where it reaches only what the namespace owns
  bool kept_root;     ///< without a user namespace, where it would reach the host
  const char* why;
};

std::span<const CapabilityRule> capability_rules();

/// Bit n set: capability n is dropped from the bounding set. Capabilities newer than the table are dropped.
std::uint64_t dropped_capabilities(Profile profile);

}  // namespace rehearse::sandbox
