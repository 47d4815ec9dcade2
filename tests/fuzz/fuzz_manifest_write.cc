// Arbitrary records through the manifest: they come back as they were, a cut file is refused, and the root
// covers what it is meant to cover.
#include "changes.h"

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::uint64_t cut = in.number();
  std::vector<effects::Change> changes = fuzz::make_changes(in);
  Sha256 root = {};
  const UniqueFd file = fuzz::write_manifest(changes, &root);
  std::size_t at = 0;
  FUZZ_REQUIRE(effects::read_manifest(file.get(), [&](const effects::Change& change) {
                 FUZZ_REQUIRE(at < changes.size() && fuzz::same(change, changes[at]));
                 ++at;
                 return true;
               }).has_value());
  FUZZ_REQUIRE(at == changes.size());

  const off_t length = ::lseek(file.get(), 0, SEEK_END);
  FUZZ_REQUIRE(length > 0);
  FUZZ_REQUIRE(::ftruncate(file.get(), static_cast<off_t>(cut % static_cast<std::uint64_t>(length))) == 0);
  const auto shorter = effects::read_manifest(file.get(), [](const effects::Change&) { return true; });
  FUZZ_REQUIRE(!shorter && shorter.error().exit == ExitCode::kDataError);

  if (changes.empty()) return 0;
  Sha256 other = {};
  for (effects::Change& change : changes) {
    change.base_moved = !change.base_moved;
    if (change.after) {
      ++change.after->ino;
      ++change.after->ctime_ns;
      change.after->generation.reset();
    }
  }
  fuzz::write_manifest(changes, &other);
  FUZZ_REQUIRE(root == other);
  changes.back().path += 'x';
  fuzz::write_manifest(changes, &other);
  FUZZ_REQUIRE(root != other);
  return 0;
}
