// The reader of a promotion's journal on arbitrary bytes: it refuses, or every place in it stays in its area.
#include "fuzz.h"
#include "promote/journal.h"

using namespace rehearse;

namespace {

bool stays(std::string_view path) {
  return !path.starts_with('/') && path != ".." && !path.starts_with("../") && !path.ends_with("/..") &&
         path.find("/../") == std::string_view::npos && path.find('\0') == std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const UniqueFd file = fuzz::file_with({reinterpret_cast<const char*>(data), size});
  const auto journal = promote::read_journal(file.get());
  if (!journal) {
    FUZZ_REQUIRE(journal.error().exit == ExitCode::kDataError);
    FUZZ_REQUIRE(fuzz::is_harmless(journal.error().what));
    return 0;
  }
  for (const promote::Operation& operation : journal->operations) {
    FUZZ_REQUIRE(operation.volume < journal->volumes.size());
    FUZZ_REQUIRE(stays(operation.from.path) && stays(operation.to.path) && stays(operation.saved.path));
  }
  return 0;
}
