#include "gate/engine_context.h"

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
  // What cannot be written is counted by the writer or, if the file is broken, said at the end.
  (void)context.exchanges->write(std::move(kept));
}

std::string rule_text(const Decision& decision) {
  if (decision.deny != nullptr) return to_text(*decision.deny);
  if (decision.mock != nullptr) return decision.mock->place;
  if (decision.pass != nullptr) return to_text(*decision.pass);
  return {};
}

}  // namespace rehearse::gate
