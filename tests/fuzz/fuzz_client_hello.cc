// The first bytes of a connection: what they are does not depend on how they come in pieces, and nothing
// grows.
#include "fuzz.h"
#include "gate/client_hello.h"

using namespace rehearse;
using namespace rehearse::gate;
using State = ClientHelloParser::State;

namespace {

bool same(const ClientHello& a, const ClientHello& b) {
  return a.server_name == b.server_name && a.protocols == b.protocols && a.versions == b.versions &&
         a.encrypted == b.encrypted;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  const std::size_t piece = 1U + bytes.byte();
  const std::string_view sent = bytes.rest();
  ClientHelloParser whole;
  ClientHelloParser parts;
  FUZZ_REQUIRE(whole.feed(sent) == whole.state());
  for (std::size_t at = 0; at < sent.size(); at += piece) {
    const State before = parts.state();
    parts.feed(sent.substr(at, piece));
    FUZZ_REQUIRE(before == State::kNeedMore || parts.state() == before);
  }
  FUZZ_REQUIRE(whole.state() == parts.state());
  if (sent.empty() || sent[0] != 22)
    FUZZ_REQUIRE(whole.state() == (sent.empty() ? State::kNeedMore : State::kNotTls));
  if (whole.state() != State::kHello) return 0;
  const ClientHello& hello = whole.hello();
  FUZZ_REQUIRE(same(hello, parts.hello()));
  FUZZ_REQUIRE(hello.server_name.size() <= ClientHelloParser::kMostHello);
  for (const std::string& protocol : hello.protocols)
    FUZZ_REQUIRE(!protocol.empty() && protocol.size() < 256);
  return 0;
}
