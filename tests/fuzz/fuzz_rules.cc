// Rules as operators write them: any text is a rule or one error, what is printed reads the same, and no
// decision breaks the promises of rules.h.
#include "fuzz.h"
#include "gate/rule_text.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

template <class Rule>
void check(const Result<Rule>& rule, Result<Rule> (*parse)(std::string_view)) {
  if (!rule) {
    FUZZ_REQUIRE(rule.error().exit == ExitCode::kUsage && !rule.error().fix.empty());
    FUZZ_REQUIRE(rule.error().what.starts_with("rule, column ") && rule.error().what.size() < 600);
    return;
  }
  const std::string text = to_text(*rule);
  FUZZ_REQUIRE(fuzz::is_harmless(text));
  const auto again = parse(text);
  FUZZ_REQUIRE(again.has_value() && *again == *rule);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  Destination destination;
  destination.protocol = in.flag() ? Protocol::kTcp : Protocol::kUdp;
  for (std::uint8_t& byte : destination.address.bytes) byte = in.byte();
  if (in.flag()) destination.address = IpAddress::v4({in.byte(), in.byte(), in.byte(), in.byte()});
  destination.port = static_cast<std::uint16_t>(in.small());
  destination.synthetic = in.flag();
  if (in.flag()) destination.names.push_back(in.text());

  Rules rules;
  while (!in.empty()) {
    const std::string text(in.take(in.rest().find('\n')));
    in.byte();
    const auto pass = parse_pass(text);
    const auto deny = parse_deny(text);
    check(pass, parse_pass);
    check(deny, parse_deny);
    check(parse_listen(text), parse_listen);
    if (pass) rules.pass.push_back(*pass);
    if (deny && deny->how != Refusal()) rules.deny.push_back(*deny);
  }
  const Decision decision = decide(rules, destination);
  FUZZ_REQUIRE((decision.action == Action::kPass) == (decision.pass != nullptr));
  if (decision.pass == nullptr) return 0;
  const Endpoint& to = decision.pass->to;
  FUZZ_REQUIRE(to.protocol == destination.protocol && to.ports.contains(destination.port));
  const auto* name = std::get_if<NameTarget>(&to.target);
  const auto* block = std::get_if<IpBlock>(&to.target);
  if (name != nullptr) FUZZ_REQUIRE(destination.name().ends_with(name->name));
  if (block != nullptr) FUZZ_REQUIRE(!destination.synthetic && block->contains(destination.address));
  const AddressClass kind = classify(destination.address);
  if (name == nullptr && !destination.synthetic && kind != AddressClass::kPublic)
    FUZZ_REQUIRE(std::holds_alternative<HostLoopback>(to.target) ||
                 (block != nullptr && names_range(*block, kind)));
  if (allowed_resolution(rules, *decision.pass, destination.address, destination.port))
    FUZZ_REQUIRE(kind == AddressClass::kPublic || rules.pass.size() > 1 || name == nullptr);
  return 0;
}
