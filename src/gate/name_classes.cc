#include "gate/name_classes.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "gate/address.h"

namespace rehearse::gate {
namespace {

/// A made-up address of IPv6 stands for what the one of IPv4 with its last bytes stands for (name_table.h).
IpAddress key_of(const IpAddress& address) {
  if (!kSyntheticV6.contains(address)) return address;
  const auto& bytes = address.bytes;
  IpAddress made_up = kSyntheticV6.address();
  std::copy(bytes.begin() + 12, bytes.end(), made_up.bytes.begin() + 12);
  return address == made_up ? IpAddress::v4({bytes[12], bytes[13], bytes[14], bytes[15]}) : address;
}

}  // namespace

/// The last class is of all rules: what has found no other is judged more strictly, and then by the worker.
std::uint8_t NameClasses::class_of(std::uint64_t set) {
  constexpr std::size_t kLast = std::size(decltype(gate_.classes){}) - 1;
  const auto found = std::ranges::find(sets_, set);
  const auto number = std::min(static_cast<std::size_t>(found - sets_.begin()), kLast);
  if (found == sets_.end() && number < kLast) sets_.push_back(set);
  __atomic_store_n(&gate_.classes[number], number < kLast ? set : ~std::uint64_t{0}, __ATOMIC_RELEASE);
  return static_cast<std::uint8_t>(number);
}

std::uint64_t NameClasses::rules_for(std::string_view name) const {
  std::uint64_t set = 0;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (matches_name(targets_[i], name)) set |= std::uint64_t{1} << i;
  }
  return set;
}

void NameClasses::enter(std::string_view name, const IpAddress& address) {
  keep(name, rules_for(name), address);
  std::uint64_t all = 0;
  for (const std::string& kept : names_of(address)) all |= rules_for(kept);
  tell(address, all);
}

/// The action chooses names: what is kept is the latest, and one for each rule that the others are not for.
void NameClasses::keep(std::string_view name, std::uint64_t set, const IpAddress& address) {
  std::vector<std::string>& names = names_[key_of(address)];
  std::erase(names, name);
  std::vector<std::string> kept = {std::string(name)};
  for (std::string& other : names) {
    const std::uint64_t own = rules_for(other);
    if ((own & ~set) == 0) continue;
    set |= own;
    kept.push_back(std::move(other));
  }
  names = std::move(kept);
}

const std::vector<std::string>& NameClasses::names_of(const IpAddress& address) const {
  static const std::vector<std::string> kNone;
  const auto found = names_.find(key_of(address));
  return found == names_.end() ? kNone : found->second;
}

void NameClasses::tell(const IpAddress& address, std::uint64_t set) {
  if (is_synthetic(address)) {
    __atomic_store_n(&gate_.class_of[address.low32() % RH_NAMES], class_of(set), __ATOMIC_RELEASE);
    return;
  }
  const std::span known(gate_.named, gate_.named_count);
  const auto same = [&](const struct rh_named& named) {
    return std::ranges::equal(named.address, address.bytes);
  };
  if (const auto found = std::ranges::find_if(known, same); found != known.end()) {
    __atomic_store_n(&found->names, set, __ATOMIC_RELEASE);
    return;
  }
  if (set == 0 || known.size() == RH_NAMED) return;  // more of them are refused before the run
  struct rh_named& fresh = gate_.named[known.size()];
  std::ranges::copy(address.bytes, fresh.address);
  fresh.names = set;
  __atomic_store_n(&gate_.named_count, gate_.named_count + 1, __ATOMIC_RELEASE);
}

}  // namespace rehearse::gate
