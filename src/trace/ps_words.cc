#include "trace/ps_words.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
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

struct Selection {
  bool by_number = false;     ///< of processes or parents
  bool otherwise = false;     ///< by anything else
  bool seeks_others = false;  ///< by command, or by a number that is not inside
};

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

Selection selection_of(const std::vector<std::string>& words,
                       const std::function<bool(std::uint32_t)>& is_inside) {
  Selection found;
  const auto number = [&](std::string_view list) {
    found.by_number = true;
    found.seeks_others = found.seeks_others || names_other(list, is_inside);
  };
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto next = [&] { return i + 1 < words.size() ? std::string_view(words[++i]) : ""; };
    if (word.starts_with("--")) {
      const std::size_t sign = word.find('=');
      const std::string_view name = word.substr(0, sign);
      if (is_one_of(name, {"--pid", "--quick-pid", "--ppid"}))
        number(sign == std::string_view::npos ? next() : word.substr(sign));
      else if (is_one_of(name, {"--user", "--User", "--group", "--Group", "--sid", "--tty", "--deselect"}))
        found.otherwise = true;
      continue;
    }
    if (!word.empty() && is_digit(word.front())) {
      number(word);
      continue;
    }
    // A bundle of letters; the first that takes a value takes the rest, or the next word.
    const bool dashed = word.starts_with('-');
    const std::string_view takes = dashed ? "GgstUuoOnpqC" : "oOUtkpqN";
    const std::string_view selects = dashed ? "AadeNGgstUuC" : "axtUrT";
    for (std::size_t at = dashed ? 1 : 0; at < word.size(); ++at) {
      const char letter = word[at];
      found.otherwise = found.otherwise || selects.find(letter) != std::string_view::npos;
      if (takes.find(letter) == std::string_view::npos) continue;
      const std::string_view rest = word.substr(at + 1);
      const std::string_view value = rest.empty() ? next() : rest;
      if (letter == 'C') found.seeks_others = true;
      if (letter == 'p' || letter == 'q') number(value);
      break;
    }
  }
  return found;
}

}  // namespace

bool ps_seeks_others(const std::vector<std::string>& words,
                     const std::function<bool(std::uint32_t)>& is_inside) {
  return selection_of(words, is_inside).seeks_others;
}

bool ps_selects_by_number(const std::vector<std::string>& words) {
  const Selection found = selection_of(words, [](std::uint32_t) { return true; });
  return found.by_number && !found.otherwise;
}

}  // namespace rehearse::trace
