// What programs were asked for by their words, and settings of git: any text is told apart from others, and
// what is believed to start nothing names nothing that does.
#include <algorithm>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "effects/git_config.h"
#include "fuzz.h"
#include "trace/df_words.h"
#include "trace/number_words.h"
#include "trace/ps_words.h"

using namespace rehearse;

namespace {

/// Line by line, without knowing more than what starts something.
void check_settings(std::string_view text) {
  bool starts = false;
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::string line = ascii_lower(trim(whole, " \t\r"));
    const auto begins = [&](const char* part) { return line.starts_with(part); };
    if (line.empty() || begins("#") || begins(";")) continue;
    if (begins("["))
      starts = begins("[include") || begins("[alias") || begins("[filter") || begins("[credential");
    FUZZ_REQUIRE(begins("[") || !starts);
    FUZZ_REQUIRE(!begins("hookspath") && !begins("sshcommand") && !begins("fsmonitor") && !begins("pager"));
    FUZZ_REQUIRE(line.find("ext::") == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (effects::git_config_starts_nothing(text)) check_settings(text);
  fuzz::Bytes bytes(data, size);
  std::vector<std::string> words = {"ps"};
  while (!bytes.empty() && words.size() < 16) words.push_back(bytes.text());
  (void)trace::df_asks(words);
  (void)trace::ps_seeks_others(words, [](std::uint32_t number) { return number % 2 == 0; });
  for (const char* program : {"stat", "find", "tar", "mountpoint"})
    (void)trace::asks_for_device_numbers(program, words);
  return 0;
}
