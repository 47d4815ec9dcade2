// Names that a host knows without asking anybody (hosts(5)).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace rehearse::gate {

class HostsFile {
 public:
  /// Lines that cannot be read are left out, as the C library does.
  static HostsFile parse(std::string_view text);
  /// In the order of the file; empty if the name is not there. Case does not matter.
  [[nodiscard]] const std::vector<IpAddress>& find(std::string_view name) const;
  /// The first name that the file has for it; empty if there is none.
  [[nodiscard]] std::string_view name_of(const IpAddress& address) const;

 private:
  std::map<std::string, std::vector<IpAddress>, std::less<>> names_;  ///< in lower case
  std::map<IpAddress, std::string> first_names_;
};

}  // namespace rehearse::gate
