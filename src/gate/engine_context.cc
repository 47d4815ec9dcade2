#include "gate/engine_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "gate/rule_text.h"

namespace rehearse::gate {

void keep_exchange(EngineContext& context, const ConnectionRecord& from, Exchange exchange) {
  if (context.exchanges == nullptr) return;
  KeptExchange kept;
  kept.connection = from.id;
  kept.time_ns = context.loop.now() - context.begun_ns;
  kept.protocol = from.protocol;
  kept.address = format_ip(from.address);
  kept.port = from.port;
  kept.name = from.name;
  kept.rule = from.rule;
  kept.exchange = std::move(exchange);
  if (!kept.exchange.tls) kept.exchange.tls = false;
  // What cannot be written is counted by the writer or, if the file is broken, said at the end.
  (void)context.exchanges->write(std::move(kept));
}

Result<std::vector<IpAddress>> passable(const EngineContext& context, const PassRule& rule,
                                        const ConnectionRecord& record, const Resolver::Answer& answer) {
  if (answer.addresses.empty()) return fail(fmt::format("the name cannot be resolved: {}", answer.error));
  std::vector<IpAddress> allowed;
  std::ranges::copy_if(answer.addresses, std::back_inserter(allowed), [&](const IpAddress& address) {
    return allowed_resolution(context.rules, rule, address, record.port);
  });
  if (allowed.empty()) {
    const IpAddress& first = answer.addresses.front();
    const DenyRule* const denial = denial_of(context.rules, rule.to.protocol, first, record.port);
    if (denial != nullptr)
      return fail(fmt::format("the name resolves to {}, which a rule denies: {}", format_ip(first),
                              to_text(*denial)));
    return fail(fmt::format("the name resolves to {} ({}), which no rule passes", format_ip(first),
                            to_string(classify(first))));
  }
  const bool four = record.address.is_v4();
  std::stable_partition(allowed.begin(), allowed.end(),
                        [&](const IpAddress& address) { return address.is_v4() == four; });
  return allowed;
}

std::string rule_text(const Decision& decision) {
  if (decision.deny != nullptr) return to_text(*decision.deny);
  if (decision.mock != nullptr) return decision.mock->place;
  if (decision.pass != nullptr) return to_text(*decision.pass);
  return {};
}

}  // namespace rehearse::gate
