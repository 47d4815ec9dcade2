// A client's bytes: as they come, a real client's with some of them changed, or a real client's followed by
// anything. The server holds no more than it says and ends in a state that is explained.
#include "../unit/gate/tls_client.h"
#include "base/clock.h"
#include "fuzz.h"
#include "gate/tls_server.h"

using namespace rehearse;
using namespace rehearse::gate;
using State = TlsServer::State;

namespace {

struct Common {
  CertificateAuthority authority = std::move(*CertificateAuthority::create("fuzz", realtime_ns()));
  std::unique_ptr<TlsContext> context = std::move(*TlsContext::create(authority));
};

class Session {
 public:
  explicit Session(TlsContext& context)
      : server_(std::move(*TlsServer::create(context, "fallback.example"))) {}

  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const State before = server_->state();
      const std::size_t took = server_->feed(bytes);
      FUZZ_REQUIRE(took <= bytes.size());
      bytes.remove_prefix(took);
      const std::string text = server_->read(700);
      FUZZ_REQUIRE(text.size() <= 700);
      FUZZ_REQUIRE(text.empty() || before == State::kOpen || before == State::kHandshake);
      FUZZ_REQUIRE((server_->state() == State::kFailed) == !server_->failure().empty());
      FUZZ_REQUIRE(before == server_->state() || before == State::kHandshake || before == State::kOpen);
      if (server_->state() == State::kFailed)
        FUZZ_REQUIRE(server_->write("x") == 0 && server_->read(1).empty());
      if (took == 0 && text.empty()) break;
    }
  }
  std::string take() {
    std::string bytes = server_->take();
    FUZZ_REQUIRE(bytes.size() < 2 * TlsServer::kMostPending);
    FUZZ_REQUIRE(server_->take().empty());
    return bytes;
  }
  TlsServer& server() { return *server_; }

 private:
  std::unique_ptr<TlsServer> server_;
};

/// One flight of the client's with up to three bytes of it changed.
std::string damaged(std::string flight, fuzz::Bytes& bytes) {
  for (unsigned n = bytes.below(4); n > 0 && !flight.empty(); --n) {
    const std::size_t at = (bytes.byte() * 256U + bytes.byte()) % flight.size();
    flight[at] = static_cast<char>(bytes.byte());
  }
  return flight;
}

void with_client(Session& session, fuzz::Bytes& bytes, bool damage) {
  gate::testing::TlsClient client({.server_name = bytes.flag() ? "a.example" : "",
                                   .alpn = bytes.flag() ? "\10http/1.1" : "",
                                   .version = bytes.flag() ? TLS1_3_VERSION : TLS1_2_VERSION});
  for (int flight = 0; flight < 4; ++flight) {
    client.shake_hands();
    const std::string sent = client.take();
    session.feed(damage ? damaged(sent, bytes) : sent);
    client.feed(session.take());
  }
  if (!damage) FUZZ_REQUIRE(session.server().state() == State::kOpen);
  while (!bytes.empty() && session.server().state() == State::kOpen) {
    if (bytes.flag()) {
      client.write(bytes.text());
      session.feed(damaged(client.take(), bytes));
    } else {
      const std::string answer = bytes.text();
      FUZZ_REQUIRE(session.server().write(answer) == answer.size());
      client.feed(session.take());
    }
  }
  session.server().finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Common common;
  fuzz::Bytes bytes(data, size);
  Session session(*common.context);
  const unsigned mode = bytes.below(4);
  if (mode == 1) with_client(session, bytes, true);
  if (mode == 2) with_client(session, bytes, false);
  while (!bytes.empty()) session.feed(bytes.take(1U + bytes.byte()));
  session.take();
  return 0;
}
