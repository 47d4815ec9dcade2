// What anybody inside sends to a name server: the responder answers with a message that its own rules hold
// for, keeps the question, and never exceeds what the asker can take.
#include "../unit/gate/dns_wire.h"
#include "fuzz.h"
#include "gate/address.h"
#include "gate/dns_responder.h"
#include "gate/dns_stream.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

DnsZone zone() {
  const std::vector<DnsMock> mocks = {{"a.b", "A", 5, "10.0.0.1"}, {"a.b", "TXT", 5, std::string(700, 'x')},
                                      {"*.c", "CNAME", 5, "a.b"},  {"l.d", "CNAME", 5, "l.d"},
                                      {"n.d", "NXDOMAIN", 5, ""},  {"s.d", "SRV", 5, "1 2 3 a.b"},
                                      {"m.d", "MX", 5, "1 a.b"}};
  auto made = DnsZone::create(mocks);
  FUZZ_REQUIRE(made.has_value());
  return *made;
}

void check(std::string_view query, DnsTransport transport, DnsResponder& responder, NameTable& names) {
  const DnsExchange exchange = responder.answer(query, transport);
  FUZZ_REQUIRE(exchange.response.size() <= (transport == DnsTransport::kUdp ? 4096U : 65535U));
  const bool is_response = query.size() >= 12 && (static_cast<unsigned char>(query[2]) & 0x80U) != 0;
  FUZZ_REQUIRE(exchange.response.empty() == (query.size() < 12 || is_response));
  if (exchange.response.empty()) {
    FUZZ_REQUIRE(!exchange.question);
    return;
  }
  FUZZ_REQUIRE(exchange.response.substr(0, 2) == query.substr(0, 2));
  const testing::Response response = testing::read_response(exchange.response);
  FUZZ_REQUIRE(response.answers.empty() || response.rcode() == 0 || response.rcode() == 3);
  if (!exchange.question) return;
  // The question as it was asked, to the letter.
  const std::size_t end = exchange.response.find('\0', 12);
  FUZZ_REQUIRE(end != std::string::npos);
  FUZZ_REQUIRE(exchange.response.substr(12, end + 5 - 12) == query.substr(12, end + 5 - 12));
  FUZZ_REQUIRE(fuzz::is_harmless(exchange.question->name));
  FUZZ_REQUIRE(DnsName::parse(exchange.question->name)->key() == exchange.question->name);
  for (const IpAddress& address : exchange.question->addresses) {
    const AddressClass kind = classify(address);
    FUZZ_REQUIRE(kind == AddressClass::kSynthetic || kind == AddressClass::kLoopback ||
                 kind == AddressClass::kPrivate);
    if (kind == AddressClass::kSynthetic) FUZZ_REQUIRE(names.name_of(address).has_value());
  }
  // A response is nothing to answer: two responders cannot keep each other busy.
  FUZZ_REQUIRE(responder.answer(exchange.response, transport).response.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const DnsZone kZone = zone();
  fuzz::Bytes bytes(data, size);
  const unsigned flags = bytes.byte();
  NameTable names;
  DnsResponder responder(kZone, names, {.nxdomain = (flags & 1U) != 0});
  if ((flags & 2U) == 0) {
    check(bytes.rest(), DnsTransport::kUdp, responder, names);
    return 0;
  }
  DnsStream stream;
  while (!bytes.empty() && !stream.failed()) {
    std::string_view piece = bytes.take(1U + bytes.byte());
    while (const auto message = stream.next(piece)) {
      FUZZ_REQUIRE(message->size() <= DnsStream::kMostQuery);
      check(*message, DnsTransport::kTcp, responder, names);
    }
    FUZZ_REQUIRE(piece.empty() || stream.failed());
  }
  return 0;
}
