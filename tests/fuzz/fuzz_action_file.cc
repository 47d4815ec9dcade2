// Action files: any text is an action or one error that names the place.
#include "fuzz.h"
#include "rehearsal/action_file.h"

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = parse_action_file(std::string(reinterpret_cast<const char*>(data), size), "a.toml");
  if (!file) {
    FUZZ_REQUIRE(file.error().exit == ExitCode::kConfig && !file.error().fix.empty());
    FUZZ_REQUIRE(file.error().what.starts_with("a.toml:"));
    return 0;
  }
  FUZZ_REQUIRE(!file->argv.empty() && !file->argv.front().empty() && !file->name.empty());
  Options options;
  const auto merged = with_action(options, *file);
  FUZZ_REQUIRE(merged && merged->argv == file->argv && merged->env == file->env);
  return 0;
}
