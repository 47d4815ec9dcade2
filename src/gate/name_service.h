// The gate's name server, whoever is asked: the answers of DnsResponder, in the log, and with the kernel told
// of every name before the action learns its address.
#pragma once

#include <string>
#include <string_view>

#include "gate/dns_responder.h"
#include "gate/event_loop.h"
#include "gate/gate_log.h"
#include "gate/name_classes.h"

namespace rehearse::gate {

/// Not thread safe. What it is given outlives it.
class NameService {
 public:
  NameService(const EventLoop& loop, DnsResponder& responder, NameClasses& classes, GateLogWriter& log)
      : loop_(loop), responder_(responder), classes_(classes), log_(log) {}

  struct Answer {
    std::string response;  ///< empty: there is nothing to answer
    bool asked = false;    ///< a question was, which the log has now; else it was something else
  };
  /// As DnsResponder::answer.
  Answer answer(std::string_view query, DnsTransport transport, const QuestionEnds& ends);
  /// The attempt, with the names that the address was answered for.
  [[nodiscard]] Destination destination(Protocol protocol, const IpAddress& address,
                                        std::uint16_t port) const;

 private:
  const EventLoop& loop_;
  DnsResponder& responder_;
  NameClasses& classes_;
  GateLogWriter& log_;
};

}  // namespace rehearse::gate
