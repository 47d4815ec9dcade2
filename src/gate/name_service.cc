#include "gate/name_service.h"

#include "gate/address.h"

namespace rehearse::gate {

Destination NameService::destination(Protocol protocol, const IpAddress& address, std::uint16_t port) const {
  return {protocol, address, port, classes_.names_of(address), is_synthetic(address)};
}

NameService::Answer NameService::answer(std::string_view query, DnsTransport transport,
                                        const QuestionEnds& ends) {
  DnsExchange exchange = responder_.answer(query, transport);
  const bool asked = exchange.question.has_value();
  if (exchange.question) {
    // This machine is nobody's name. Of aliases the last is what a made-up address stands for.
    if (exchange.question->answered != DnsAnswer::kLocal) {
      for (const IpAddress& address : exchange.question->addresses)
        for (const std::string& name : exchange.names) classes_.enter(name, address);
    }
    log_.write(
        QuestionRecord{.question = std::move(*exchange.question), .ends = ends, .time_ns = loop_.now()});
  }
  return {std::move(exchange.response), asked};
}

}  // namespace rehearse::gate
