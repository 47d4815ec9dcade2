// The command line of `rehearse run`: a request or one usage error, never an exception.
#include "cli/run_request.h"
#include "fuzz.h"

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  // One word a line.
  cli::Arguments words;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  bool separated = false;
  cli::Arguments command;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string word(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::erase(word, '\0');
    if (separated) command.push_back(word);
    separated = separated || word == "--";
    words.push_back(std::move(word));
  }
  cli::Globals globals;
  cli::RunOptions options;
  const auto result = cli::parse_run_options(globals, words, options);
  if (!result) {
    FUZZ_REQUIRE(result.error().exit == ExitCode::kUsage && !result.error().what.empty());
    return 0;
  }
  if (!*result) return 0;  // help
  FUZZ_REQUIRE(!options.action.argv.empty() && !options.action.argv.front().empty());
  // What follows the separator is the command, word for word.
  if (separated) FUZZ_REQUIRE(options.action.argv == command);
  return 0;
}
