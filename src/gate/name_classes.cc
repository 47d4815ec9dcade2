#include "gate/name_classes.h"

#include <algorithm>

namespace rehearse::gate {

std::uint8_t NameClasses::class_of(std::uint64_t set) {
  const auto found = std::ranges::find(sets_, set);
  const auto number = static_cast<std::size_t>(found - sets_.begin());
  if (found == sets_.end()) {
    sets_.push_back(set);
    __atomic_store_n(&gate_.classes[number % std::size(gate_.classes)], set, __ATOMIC_RELEASE);
  }
  return static_cast<std::uint8_t>(number);
}

void NameClasses::enter(std::string_view name, const IpAddress& address) {
  std::uint64_t set = 0;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (matches_name(targets_[i], name)) set |= std::uint64_t{1} << i;
  }
  __atomic_store_n(&gate_.class_of[address.low32() % RH_NAMES], class_of(set), __ATOMIC_RELEASE);
}

}  // namespace rehearse::gate
