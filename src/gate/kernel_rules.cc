#include "gate/kernel_rules.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace rehearse::gate {
namespace {

constexpr std::uint16_t kEveryKind = 0xffff;

std::uint16_t bit_of(AddressClass kind) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(kind));
}
static_assert(static_cast<unsigned>(AddressClass::kPublic) == 0, "the kernel's kind of what is in no place");

/// The kinds of place where a pass rule by this target leads (rules.h).
std::uint16_t kinds_of(const Target& target) {
  if (std::holds_alternative<HostLoopback>(target)) return kEveryKind;
  std::uint16_t kinds = bit_of(AddressClass::kPublic);
  if (const auto* block = std::get_if<IpBlock>(&target)) {
    const AddressClass kind = classify(block->lowest());
    if (names_range(*block, kind)) kinds |= bit_of(kind);
  }
  return kinds;
}

/// The blocks that a target by address stands for. ::/0 is two halves: a rule without a prefix is for
/// everything.
std::vector<IpBlock> blocks_of(const Target& target) {
  if (std::holds_alternative<HostLoopback>(target)) return {std::begin(kThisHost), std::end(kThisHost)};
  const auto& block = std::get<IpBlock>(target);
  if (block.bits() > 0) return {block};
  return {IpBlock(IpAddress{}, 1), IpBlock(IpAddress{{0x80}}, 1)};
}

class Flattener {
 public:
  Result<KernelRules> run(const Rules& rules) && {
    for (const DenyRule* rule : in_order(rules.deny, &DenyRule::to)) {
      Decision decision;
      decision.deny = rule;
      decision.refusal = rule->how;
      RH_CHECK(add(rule->to, kEveryKind, verdict_of(rule->how), rule->how.error, decision));
    }
    for (const Mock* rule : in_order(rules.mock, &Mock::listen)) {
      Decision decision;
      decision.action = Action::kMock;
      decision.mock = rule;
      RH_CHECK(add(rule->listen, kEveryKind, RH_GATE, 0, decision));
    }
    for (const PassRule* rule : in_order(rules.pass, &PassRule::to)) {
      Decision decision;
      decision.action = Action::kPass;
      decision.pass = rule;
      RH_CHECK(add(rule->to, kinds_of(rule->to.target), RH_GATE, 0, decision));
    }
    made_.verdict = verdict_of(rules.otherwise);
    made_.error = static_cast<std::uint16_t>(rules.otherwise.error);
    return std::move(made_);
  }

 private:
  /// The narrowest first, those written first first among equals.
  template <class Rule>
  static std::vector<const Rule*> in_order(const std::vector<Rule>& rules, Endpoint Rule::*endpoint) {
    std::vector<const Rule*> sorted;
    sorted.reserve(rules.size());
    for (const Rule& rule : rules) sorted.push_back(&rule);
    std::ranges::stable_sort(
        sorted, [&](const Rule* a, const Rule* b) { return is_narrower(a->*endpoint, b->*endpoint); });
    return sorted;
  }

  static std::uint8_t verdict_of(const Refusal& how) {
    return how.error == Refusal::kDrop ? RH_DROP : RH_DENY;
  }

  Result<void> add(const Endpoint& to, std::uint16_t kinds, std::uint8_t verdict, int error,
                   const Decision& decision) {
    struct rh_rule rule = {};
    rule.protocol = to.protocol == Protocol::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
    rule.verdict = verdict;
    rule.first_port = to.ports.first;
    rule.last_port = to.ports.last;
    rule.error = static_cast<std::uint16_t>(error);
    rule.kinds = kinds;
    rule.held = decision.action == Action::kPass && to.protocol == Protocol::kTcp ? 1 : 0;
    if (const auto* name = std::get_if<NameTarget>(&to.target)) {
      RH_TRY(rule.name, bit_for(*name));
      return push(rule, decision);
    }
    if (std::holds_alternative<AnyHost>(to.target)) return push(rule, decision);
    for (const IpBlock& block : blocks_of(to.target)) {
      std::ranges::copy(block.address().bytes, rule.address);
      rule.prefix = static_cast<std::uint8_t>(block.bits());
      RH_CHECK(push(rule, decision));
    }
    return {};
  }

  Result<void> push(const struct rh_rule& rule, const Decision& decision) {
    if (made_.rules.size() == RH_RULES)
      return fail(fmt::format("there are more than {} rules for the network", RH_RULES), ExitCode::kConfig,
                  "join some: use address blocks, port ranges or *.suffixes");
    made_.rules.push_back(rule);
    made_.decisions.push_back(decision);
    return {};
  }

  /// Counted from 1. Rules with one target share it.
  Result<std::uint8_t> bit_for(const NameTarget& target) {
    const auto found = std::ranges::find(made_.names, target);
    const auto place = static_cast<std::size_t>(found - made_.names.begin());
    if (place == RH_NAME_RULES)
      return fail(fmt::format("the rules for the network have more than {} different names", RH_NAME_RULES),
                  ExitCode::kConfig, "join some: *.suffix stands for all names below it");
    if (found == made_.names.end()) made_.names.push_back(target);
    return static_cast<std::uint8_t>(place + 1);
  }

  KernelRules made_;
};

}  // namespace

Result<KernelRules> flatten(const Rules& rules) {
  return Flattener().run(rules);
}

void switch_on(const KernelRules& rules, struct rh_gate& gate) {
  gate.count = static_cast<std::uint32_t>(rules.rules.size());
  gate.verdict = rules.verdict;
  gate.error = rules.error;
  std::ranges::copy(rules.rules, gate.rules);
  const bool tells_apart =
      std::ranges::any_of(rules.rules, [](const struct rh_rule& rule) { return rule.kinds != kEveryKind; });
  gate.place_count = 0;
  if (tells_apart) {
    for (const AddressPlace& place : address_places()) {
      struct rh_place& made = gate.places[gate.place_count++];
      std::ranges::copy(place.block.address().bytes, made.address);
      made.prefix = static_cast<std::uint8_t>(place.block.bits());
      made.kind = static_cast<std::uint8_t>(place.kind);
    }
  }
  __atomic_store_n(&gate.on, 1, __ATOMIC_RELEASE);
}

bool own_addresses(const std::set<IpAddress>& own, struct rh_gate& gate) {
  gate.own_count = 0;
  for (const IpAddress& address : own) {
    if (gate.own_count == RH_OWN) return false;
    std::ranges::copy(address.bytes, gate.own[gate.own_count++]);
  }
  return true;
}

}  // namespace rehearse::gate
