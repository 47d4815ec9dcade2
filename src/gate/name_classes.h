// Which of the rules for names fit a name, told to the kernel, so that its hooks can judge a synthetic
// address.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "bpf/events.h"
#include "gate/rules.h"

namespace rehearse::gate {

/// A class is a set of rules. There are few: which exact name a name is, and which is the longest of the
/// suffixes that it is below, decides; 64 targets make 129 sets with the empty one, and 256 have a number.
/// Not thread safe; the kernel reads meanwhile.
class NameClasses {
 public:
  /// `targets` are the rules' in the order of their bits, RH_NAME_RULES at most; both outlive it.
  NameClasses(struct rh_gate& gate, const std::vector<NameTarget>& targets)
      : gate_(gate), targets_(targets), sets_(1, 0) {}

  /// `address` is about to be handed out for `name`.
  void enter(std::string_view name, const IpAddress& address);

 private:
  std::uint8_t class_of(std::uint64_t set);

  struct rh_gate& gate_;
  const std::vector<NameTarget>& targets_;
  std::vector<std::uint64_t> sets_;  ///< by class; class 0 is of names that no rule is for
};

}  // namespace rehearse::gate
