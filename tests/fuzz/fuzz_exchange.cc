// Recorded exchanges from a bundle that somebody else may have written: read, written, redacted and replayed.
#include "gate/exchange_file.h"

#include "base/sys.h"
#include "gate/recording.h"
#include "service.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

std::string written(const std::vector<KeptExchange>& exchanges) {
  const UniqueFd file = fuzz::file_with({});
  auto writer = ExchangeWriter::create(file.get()).value();
  for (const KeptExchange& exchange : exchanges) FUZZ_REQUIRE(writer.write(exchange).has_value());
  FUZZ_REQUIRE(writer.finish().has_value() && ::lseek(file.get(), 0, SEEK_SET) == 0);
  return sys::read_all(file.get()).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::string_view asked = in.view();
  const auto file = parse_exchanges(in.rest());
  if (!file) {
    FUZZ_REQUIRE(file.error().exit == ExitCode::kDataError && !file.error().fix.empty());
    return 0;
  }
  const std::string text = written(file->exchanges);
  FUZZ_REQUIRE(fuzz::is_harmless(text, "\n"));
  const auto again = parse_exchanges(text);
  FUZZ_REQUIRE(again.has_value());
  // Secrets are hidden at the first writing; the second changes nothing.
  FUZZ_REQUIRE(written(again->exchanges) == text || file->dropped > 0);

  Recording recording(file->exchanges);
  FakeClient client(make_replay_service(recording));
  client.send(asked);
  client.end();
  FUZZ_REQUIRE(client.wire.finishes + client.wire.resets > 0);
  FUZZ_REQUIRE(recording.unused() <= file->exchanges.size());
  return 0;
}
