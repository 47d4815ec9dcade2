#include "gate/name_service.h"

#include "gate/address.h"

namespace rehearse::gate {

Destination NameService::destination(Protocol protocol, const IpAddress& address, std::uint16_t port) const {
  Destination destination{protocol, address, port, std::nullopt, is_synthetic(address)};
  if (const auto name = names_.name_of(address)) destination.name = std::string(*name);
  return destination;
}

NameService::Answer NameService::answer(std::string_view query, DnsTransport transport,
                                        const QuestionEnds& ends) {
  DnsExchange exchange = responder_.answer(query, transport);
  const bool asked = exchange.question.has_value();
  if (exchange.question) {
    for (const IpAddress& address : exchange.question->addresses) {
      if (const auto name = names_.name_of(address)) classes_.enter(*name, address);
    }
    log_.write(
        QuestionRecord{.question = std::move(*exchange.question), .ends = ends, .time_ns = loop_.now()});
  }
  return {std::move(exchange.response), asked};
}

}  // namespace rehearse::gate
