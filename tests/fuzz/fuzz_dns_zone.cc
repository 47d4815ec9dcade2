// Mocked records as an operator writes them: refused with one line, or answered so that a reader agrees.
#include "../unit/gate/dns_wire.h"
#include "fuzz.h"
#include "gate/dns_responder.h"

using namespace rehearse;
using namespace rehearse::gate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr const char* kTypes[] = {"A",   "AAAA", "CNAME", "MX",       "NS",
                                           "PTR", "SRV",  "TXT",   "NXDOMAIN", "x"};
  fuzz::Bytes bytes(data, size);
  std::vector<DnsMock> mocks;
  while (!bytes.empty() && mocks.size() < 8)
    mocks.push_back({bytes.text(), kTypes[bytes.below(std::size(kTypes))], bytes.small(), bytes.text()});
  const std::vector<std::string> existing = {"given.example", "*.given.example"};
  const auto zone = DnsZone::create(mocks, existing);
  if (!zone) {
    FUZZ_REQUIRE(zone.error().exit == ExitCode::kConfig);
    FUZZ_REQUIRE(!zone.error().fix.empty());
    return 0;
  }
  NameTable names;
  DnsResponder responder(*zone, names, {});
  for (const DnsMock& mock : mocks) {
    const auto name = DnsName::parse(mock.name.starts_with("*") ? "x" + mock.name.substr(1) : mock.name);
    if (!name) continue;  // too long with a label more
    const auto type = parse_mock_type(mock.type).value_or(DnsType::kA);
    std::string query = testing::query("", static_cast<unsigned>(type));
    query.replace(12, 1, name->wire());
    const auto exchange = responder.answer(query, DnsTransport::kTcp);
    const auto response = testing::read_response(exchange.response);
    FUZZ_REQUIRE(!response.truncated());
    if (!mock.name.starts_with("*") && mock.type != std::string("NXDOMAIN") && !mock.name.ends_with("arpa")) {
      FUZZ_REQUIRE(exchange.question->answered == DnsAnswer::kMocked);
      FUZZ_REQUIRE(!response.answers.empty());
    }
  }
  return 0;
}
