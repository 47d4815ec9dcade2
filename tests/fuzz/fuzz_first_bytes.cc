// What a client says first, in pieces: the state does not depend on how it was cut, once it is known, and
// little is held until then.
#include "fuzz.h"
#include "gate/first_bytes.h"

using namespace rehearse;
using namespace rehearse::gate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes bytes(data, size);
  const std::size_t piece = 1U + bytes.byte();
  const std::string_view text = bytes.rest();
  FirstBytes cut;
  for (std::size_t at = 0; at < text.size(); at += piece) cut.feed(text.substr(at, piece));
  FirstBytes whole;
  whole.feed(text);
  if (cut.state() != FirstBytes::State::kNeedMore && whole.state() == FirstBytes::State::kHttp &&
      cut.state() == FirstBytes::State::kHttp) {
    FUZZ_REQUIRE(cut.request().host == whole.request().host && cut.request().path == whole.request().path);
  }
  if (cut.state() == FirstBytes::State::kTls && whole.state() == FirstBytes::State::kTls)
    FUZZ_REQUIRE(cut.sni() == whole.sni());
  FUZZ_REQUIRE(text.size() < 200'000 || whole.state() != FirstBytes::State::kNeedMore);
  FUZZ_REQUIRE(whole.end() != FirstBytes::State::kNeedMore);
  return 0;
}
