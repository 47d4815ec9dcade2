// HTTP from a hostile client and a hostile server: the parser, however the bytes are cut, the service, the
// recorder of passed connections, and a replay of what it recorded.
#include "gate/http_service.h"
#include "gate/recorder.h"
#include "gate/recording.h"
#include "service.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

HttpMock routes() {
  HttpMock mock;
  HttpRoute route;
  route.path = "/a/*";
  route.method = "GET";
  route.body = "0123456789";
  route.reply_headers = {{"X-A", "b"}};
  mock.routes.push_back(route);
  constexpr Fault kFaults[] = {Fault::kReset, Fault::kTimeout, Fault::kTruncate, Fault::kServerError};
  for (const Fault fault : kFaults) {
    route.path = "/" + std::to_string(static_cast<int>(fault)) + "**x";
    route.fault = fault;
    mock.routes.push_back(route);
  }
  route = {};
  route.headers = {{"Accept", "*json*"}};
  route.latency_ns = 1000;
  mock.routes.push_back(route);
  return mock;
}

/// Every message in the bytes, fed in pieces of that size; the parser says the same whatever the size.
std::string messages(HttpParser::Kind kind, std::string_view bytes, std::size_t piece) {
  std::string result;
  HttpParser parser(kind);
  while (!bytes.empty() && parser.state() != HttpParser::State::kBroken) {
    const std::size_t taken = parser.feed(bytes.substr(0, piece));
    FUZZ_REQUIRE(taken > 0 || parser.state() == HttpParser::State::kBroken);
    bytes.remove_prefix(taken);
    if (parser.state() != HttpParser::State::kComplete) continue;
    const Part part = parser.part();
    result += part.head + "\n" + std::to_string(part.headers.size()) + "\n" + part.body + "\n";
    parser.restart();
  }
  if (parser.state() == HttpParser::State::kBroken) {
    FUZZ_REQUIRE(parser.error().status >= 400 && parser.error().status < 600 && !parser.error().why.empty());
    result += std::to_string(parser.error().status) + parser.error().why;
  }
  return result;
}

void record_and_replay(fuzz::Bytes in) {
  std::vector<KeptExchange> kept;
  std::string sent;
  Recorder recorder([&](Exchange exchange) {
    fuzz::check_exchange(exchange);
    KeptExchange one;
    one.exchange = std::move(exchange);
    redact(one.exchange, {});
    kept.push_back(std::move(one));
  });
  while (!in.empty()) {
    const bool client = in.flag();
    const std::string_view bytes = in.view();
    if (client) {
      sent += bytes;
      recorder.from_client(bytes);
    } else {
      recorder.from_server(bytes);
    }
  }
  recorder.end();
  Recording recording(std::move(kept));
  FakeClient client(make_replay_service(recording));
  client.send(sent);
  client.end();
  FUZZ_REQUIRE(client.wire.finishes + client.wire.resets > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const HttpMock kRoutes = routes();
  fuzz::Bytes in(data, size);
  const unsigned choice = in.below(3);
  if (choice == 0) {
    const std::size_t piece = 1 + in.below(200);
    const auto kind = in.flag() ? HttpParser::Kind::kRequest : HttpParser::Kind::kReply;
    FUZZ_REQUIRE(messages(kind, in.rest(), piece) == messages(kind, in.rest(), SIZE_MAX));
  } else if (choice == 1) {
    fuzz::converse(in, std::make_unique<HttpMockService>(kRoutes));
  } else {
    record_and_replay(in);
  }
  return 0;
}
