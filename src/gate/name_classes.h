// Which of the rules for names fit the names that an address was answered for, told to the kernel, so that
// its hooks can judge the address.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "bpf/events.h"
#include "gate/rules.h"

namespace rehearse::gate {

/// A class is a set of rules. There are few: which exact name a name is, and which is the longest of the
/// suffixes that it is below, decides; 64 targets make 129 sets with the empty one, and 255 have a number.
/// Where one address is the answer for several names (mocked records, aliases) the rules of all of them are
/// for it. Not thread safe; the kernel reads meanwhile.
class NameClasses {
 public:
  /// `targets` are the rules' in the order of their bits, RH_NAME_RULES at most; both outlive it.
  NameClasses(struct rh_gate& gate, const std::vector<NameTarget>& targets)
      : gate_(gate), targets_(targets), sets_(1, 0) {}

  /// `address` is about to be handed out for `name`.
  void enter(std::string_view name, const IpAddress& address);
  /// The names that were entered for it, the latest first; of those that the same rules are for, one.
  [[nodiscard]] const std::vector<std::string>& names_of(const IpAddress& address) const;

 private:
  std::uint64_t rules_for(std::string_view name) const;
  void keep(std::string_view name, std::uint64_t set, const IpAddress& address);
  void tell(const IpAddress& address, std::uint64_t set);
  std::uint8_t class_of(std::uint64_t set);

  struct rh_gate& gate_;
  const std::vector<NameTarget>& targets_;
  std::vector<std::uint64_t> sets_;  ///< by class; class 0 is of names that no rule is for
  std::map<IpAddress, std::vector<std::string>> names_;
};

}  // namespace rehearse::gate
