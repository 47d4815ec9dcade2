// Addresses as tests write them.
#pragma once

#include <string_view>

#include "base/ip_address.h"

namespace rehearse::gate::testing {

/// Throws if it is none.
inline IpAddress ip(std::string_view text) {
  return parse_ip(text).value();
}

}  // namespace rehearse::gate::testing
