// Files of expectations, of patterns and of validators: any text is what it says or one error that names the
// place; what is declared is compared with any paths.
#include "fuzz.h"
#include "rehearsal/expect_file.h"
#include "rehearsal/validators.h"
#include "verdict/failure_patterns.h"

using namespace rehearse;

namespace {

void require_placed(const Error& error) {
  FUZZ_REQUIRE(error.exit == ExitCode::kConfig && !error.fix.empty());
  FUZZ_REQUIRE(error.what.starts_with("f.toml:"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes input(data, size);
  const std::string path = input.text();
  const std::string_view text = input.rest();
  if (const auto patterns = verdict::FailurePatterns::parse(text, "f.toml"); patterns)
    (void)patterns->find(text);
  else
    require_placed(patterns.error());
  if (const auto validators = parse_validators(text, "f.toml"); !validators)
    require_placed(validators.error());
  const auto expected = parse_expect_file(text, "f.toml");
  if (!expected) {
    require_placed(expected.error());
    return 0;
  }
  FUZZ_REQUIRE(expected->any());
  verdict::ChangedPaths paths(*expected);
  paths.add(path, "");
  paths.add("/x", path);
  const verdict::Happened nothing;
  const auto rows = verdict::compare(*expected, nothing, paths);
  FUZZ_REQUIRE(rows.size() >= verdict::declared(*expected).size());
  (void)verdict::judge_expectations(*expected, rows, paths, nothing);
  return 0;
}
