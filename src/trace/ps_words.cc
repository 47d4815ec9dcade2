#include "trace/ps_words.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace rehearse::trace {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// A list like "812,813"; number 1 is rehearse's inside.
bool names_other(std::string_view list, const std::function<bool(std::uint32_t)>& is_inside) {
  while (!list.empty()) {
    if (!is_digit(list.front())) {
      list.remove_prefix(1);
      continue;
    }
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(list.data(), list.data() + list.size(), number);
    if (error != std::errc() || number == 1 || !is_inside(number)) return true;
    list.remove_prefix(static_cast<std::size_t>(end - list.data()));
  }
  return false;
}

}  // namespace

bool ps_seeks_others(const std::vector<std::string>& words,
                     const std::function<bool(std::uint32_t)>& is_inside) {
  constexpr std::string_view kByNumber[] = {"--pid", "--quick-pid", "--ppid"};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto next = [&] { return i + 1 < words.size() ? std::string_view(words[++i]) : ""; };
    if (word.starts_with("--")) {
      const std::size_t sign = word.find('=');
      if (std::ranges::find(kByNumber, word.substr(0, sign)) != std::end(kByNumber) &&
          names_other(sign == std::string_view::npos ? next() : word.substr(sign), is_inside))
        return true;
      continue;
    }
    if (!word.empty() && is_digit(word.front())) {
      if (names_other(word, is_inside)) return true;
      continue;
    }
    // A bundle of letters; the first that takes a value takes the rest, or the next word.
    const bool dashed = word.starts_with('-');
    const std::string_view takes = dashed ? "GgstUuoOnpq" : "oOUtkpqN";
    for (std::size_t at = dashed ? 1 : 0; at < word.size(); ++at) {
      const char letter = word[at];
      if (dashed && letter == 'C') return true;
      if (takes.find(letter) == std::string_view::npos) continue;
      const std::string_view rest = word.substr(at + 1);
      const std::string_view value = rest.empty() ? next() : rest;
      if ((letter == 'p' || letter == 'q') && names_other(value, is_inside)) return true;
      break;
    }
  }
  return false;
}

}  // namespace rehearse::trace
