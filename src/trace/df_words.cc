#include "trace/df_words.h"

#include <string_view>

namespace rehearse::trace {
namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// A bundle of letters; the first that takes a value takes the rest.
bool has_letter_of_kinds(std::string_view letters) {
  for (const char letter : letters) {
    if (letter == 'T' || letter == 't' || letter == 'x') return true;
    if (letter == 'B') return false;
  }
  return false;
}

/// Of "--output" and "--output=source,fstype"; without a list it is all columns.
void take_columns(std::string_view word, DfAsks& asks) {
  const std::size_t sign = word.find('=');
  const bool all = sign == std::string_view::npos;
  asks.kinds = asks.kinds || all || has(word.substr(sign), "fstype");
  asks.sources = asks.sources || all || has(word.substr(sign), "source");
}

}  // namespace

DfAsks df_asks(const std::vector<std::string>& words) {
  DfAsks asks;
  for (std::size_t i = 1; i < words.size() && words[i] != "--"; ++i) {
    const std::string_view word = words[i];
    if (word.starts_with("--output"))
      take_columns(word, asks);
    else if (word.starts_with("--"))
      asks.kinds = asks.kinds || word == "--print-type" || word.starts_with("--type") ||
                   word.starts_with("--exclude-type");
    else if (word.starts_with('-'))
      asks.kinds = asks.kinds || has_letter_of_kinds(word.substr(1));
  }
  return asks;
}

}  // namespace rehearse::trace
