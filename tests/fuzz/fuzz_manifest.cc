// The manifest reader on arbitrary bytes: it refuses, or what it read is what a manifest written anew says.
#include "changes.h"

using namespace rehearse;

namespace {

std::vector<effects::Change> read_back(int fd) {
  std::vector<effects::Change> changes;
  FUZZ_REQUIRE(effects::read_manifest(fd, [&](const effects::Change& change) {
                 changes.push_back(change);
                 return true;
               }).has_value());
  return changes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const UniqueFd file = fuzz::file_with({reinterpret_cast<const char*>(data), size});
  std::vector<effects::Change> changes;
  const auto result = effects::read_manifest(file.get(), [&](const effects::Change& change) {
    changes.push_back(change);
    return true;
  });
  FUZZ_REQUIRE(changes.size() <= size);  // a record takes at least a byte
  if (!result) {
    FUZZ_REQUIRE(result.error().exit == ExitCode::kDataError);
    FUZZ_REQUIRE(fuzz::is_harmless(result.error().what));
    return 0;
  }
  const auto again = read_back(fuzz::write_manifest(changes).get());
  FUZZ_REQUIRE(std::equal(changes.begin(), changes.end(), again.begin(), again.end(),
                          [](const auto& a, const auto& b) { return fuzz::same(a, b); }));
  return 0;
}
