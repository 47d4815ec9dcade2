#include "gate/rules.h"

#include <algorithm>
#include <tuple>

namespace rehearse::gate {
namespace {

/// How narrow a target is: the greater wins.
std::pair<int, std::size_t> narrowness(const Target& target) {
  if (const auto* name = std::get_if<NameTarget>(&target)) return {name->suffix ? 3 : 4, name->name.size()};
  if (std::holds_alternative<HostLoopback>(target)) return {2, 0};
  if (const auto* block = std::get_if<IpBlock>(&target)) return {1, block->bits()};
  return {0, 0};
}

bool matches_target(const Target& target, const Destination& destination) {
  if (const auto* name = std::get_if<NameTarget>(&target))
    return std::ranges::any_of(destination.names,
                               [&](const std::string& asked) { return matches_name(*name, asked); });
  if (std::holds_alternative<AnyHost>(target)) return true;
  if (destination.synthetic) return false;
  if (const auto* block = std::get_if<IpBlock>(&target)) return block->contains(destination.address);
  return is_this_host(destination.address);
}

bool matches(const Endpoint& endpoint, const Destination& destination) {
  return endpoint.protocol == destination.protocol && endpoint.ports.contains(destination.port) &&
         matches_target(endpoint.target, destination);
}

/// The narrowest of the rules whose endpoint matches and that `accept` takes; nullptr if there is none.
template <class Rule, class Accept>
const Rule* narrowest(const std::vector<Rule>& rules, Endpoint Rule::*endpoint,
                      const Destination& destination, Accept accept) {
  const Rule* best = nullptr;
  for (const Rule& rule : rules) {
    if (!matches(rule.*endpoint, destination) || !accept(rule)) continue;
    if (best == nullptr || is_narrower(rule.*endpoint, best->*endpoint)) best = &rule;
  }
  return best;
}

constexpr auto kEvery = [](const auto& /*rule*/) { return true; };

/// True if a rule with this target means to reach the address itself, whatever kind of place it is.
bool reaches(const Target& target, const IpAddress& address) {
  const AddressClass kind = classify(address);
  if (kind == AddressClass::kPublic) return true;
  if (const auto* block = std::get_if<IpBlock>(&target)) return names_range(*block, kind);
  return std::holds_alternative<HostLoopback>(target);
}

}  // namespace

bool is_narrower(const Endpoint& a, const Endpoint& b) {
  const auto rank = [](const Endpoint& endpoint) {
    return std::tuple(narrowness(endpoint.target), endpoint.ports.first - endpoint.ports.last);
  };
  return rank(a) > rank(b);
}

bool matches_name(const NameTarget& target, std::string_view name) {
  if (!target.suffix) return name == target.name;
  return name.size() > target.name.size() + 1 && name.ends_with(target.name) &&
         name[name.size() - target.name.size() - 1] == '.';
}

bool names_range(const IpBlock& block, AddressClass kind) {
  return classify(block.lowest()) == kind && classify(block.highest()) == kind;
}

Decision decide(const Rules& rules, const Destination& destination) {
  Decision decision;
  if (const DenyRule* deny = narrowest(rules.deny, &DenyRule::to, destination, kEvery)) {
    decision.deny = deny;
    decision.refusal = deny->how;
    return decision;
  }
  if (const Mock* mock = narrowest(rules.mock, &Mock::listen, destination, kEvery)) {
    decision.action = Action::kMock;
    decision.mock = mock;
    return decision;
  }
  // A made-up address is looked at when its name has been resolved.
  bool refused = false;
  const PassRule* pass = narrowest(rules.pass, &PassRule::to, destination, [&](const PassRule& rule) {
    const bool reached = destination.synthetic || std::holds_alternative<NameTarget>(rule.to.target) ||
                         reaches(rule.to.target, destination.address);
    refused = refused || !reached;
    return reached;
  });
  if (pass != nullptr) {
    decision.action = Action::kPass;
    decision.pass = pass;
    return decision;
  }
  decision.refusal = rules.otherwise;
  if (refused) decision.unnamed_range = classify(destination.address);
  return decision;
}

const DenyRule* denial_of(const Rules& rules, Protocol protocol, const IpAddress& resolved,
                          std::uint16_t port) {
  const Destination destination{protocol, resolved, port, {}, false};
  return narrowest(rules.deny, &DenyRule::to, destination, kEvery);
}

bool allowed_resolution(const Rules& rules, const PassRule& rule, const IpAddress& resolved,
                        std::uint16_t port) {
  const Destination destination{rule.to.protocol, resolved, port, {}, false};
  if (denial_of(rules, rule.to.protocol, resolved, port) != nullptr) return false;
  if (classify(resolved) == AddressClass::kPublic) return true;
  return std::ranges::any_of(rules.pass, [&](const PassRule& other) {
    return matches(other.to, destination) && reaches(other.to.target, resolved);
  });
}

}  // namespace rehearse::gate
