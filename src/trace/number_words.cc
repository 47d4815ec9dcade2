#include "trace/number_words.h"

#include <algorithm>

namespace rehearse::trace {
namespace {

/// A format has `%`, flags and a width, and one of `letters`.
bool has_directive(std::string_view word, std::string_view letters) {
  for (std::size_t at = word.find('%'); at != std::string_view::npos; at = word.find('%', at)) {
    at = word.find_first_not_of("#0- +'.123456789", at + 1);
    if (at == std::string_view::npos) return false;
    if (letters.find(word[at]) != std::string_view::npos) return true;
    ++at;  // "%%" too
  }
  return false;
}

}  // namespace

bool asks_for_device_numbers(std::string_view program, const std::vector<std::string>& words) {
  const auto any = [&](const auto& holds) { return std::ranges::any_of(words, holds); };
  if (program == "stat") return any([](const std::string& word) { return has_directive(word, "dD"); });
  if (program == "find") return any([](const std::string& word) { return has_directive(word, "D"); });
  if (program == "mountpoint")
    return any([](const std::string& word) { return word == "-d" || word == "--fs-devno"; });
  if (program != "tar" && program != "gtar") return false;
  return any(
      [](const std::string& word) { return word.starts_with("--listed-incremental") || word == "-g"; });
}

}  // namespace rehearse::trace
