// Mock files: any text is a set of rules and mocks or one error that names the place.
#include <fcntl.h>

#include "base/sys.h"
#include "fuzz.h"
#include "gate/mock_file.h"
#include "gate/rule_text.h"
#include "gate/service.h"

using namespace rehearse;
using namespace rehearse::gate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A directory that has files of the kernel's, none of them a plain one that ends.
  static const UniqueFd kDir = sys::open("/proc/self/task", O_RDONLY | O_DIRECTORY).value();
  fuzz::Bytes in(data, size);
  const FileKind kind = in.flag() ? FileKind::kMock : FileKind::kAction;
  const auto file = parse_mock_file(in.rest(), "m.toml", kind, kDir.get());
  if (!file) {
    FUZZ_REQUIRE(file.error().exit == ExitCode::kConfig && !file.error().fix.empty());
    FUZZ_REQUIRE(file.error().what.starts_with("m.toml:"));
    return 0;
  }
  for (const PassRule& rule : file->rules.pass) FUZZ_REQUIRE(parse_pass(to_text(rule)).value() == rule);
  for (const DenyRule& rule : file->rules.deny) FUZZ_REQUIRE(parse_deny(to_text(rule)).value() == rule);
  for (const Mock& mock : file->rules.mock) {
    FUZZ_REQUIRE(parse_listen(to_text(mock.listen)).value() == mock.listen);
    FUZZ_REQUIRE(mock.place.starts_with("m.toml:"));
    const auto* datagrams = std::get_if<DatagramMock>(&mock.service);
    FUZZ_REQUIRE((datagrams != nullptr) == (mock.listen.protocol == Protocol::kUdp));
    FUZZ_REQUIRE((make_service(mock.service) == nullptr) == (datagrams != nullptr));
    if (datagrams == nullptr) continue;
    const DatagramRoute* const route = find_route(*datagrams, mock.place);
    if (route != nullptr) FUZZ_REQUIRE(make_reply(*route, mock.place).size() <= kLargestDatagram);
  }
  return 0;
}
