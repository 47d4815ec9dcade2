// Cuts a filter into its pieces and knows the column of each.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "trace/filter_check.h"

namespace rehearse::trace {

class FilterLexer {
 public:
  explicit FilterLexer(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::size_t column() const { return column_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  /// The next byte; NUL at the end.
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_[0]; }
  /// What comes next, as an error shows it: "the end" or the word.
  [[nodiscard]] std::string next_shown() const;

  void skip_blanks();
  /// Takes the byte if it is next.
  bool take(char c);
  /// Takes the word if it is next and no letter, digit, dot or _ follows.
  bool take_keyword(std::string_view word);
  /// A field's or function's name: letters, digits, _, and dots before letters. Empty if there is none.
  std::string_view take_name();
  /// An operator: a word or one of = == != < <= > >=. Empty if there is none.
  std::string_view take_operator();
  /// What stands in brackets if it is not quoted. Empty if there is nothing.
  std::string_view take_bare_argument();
  /// The name if a parenthesis follows it ("val("), both taken; else nothing is.
  std::optional<std::string_view> take_function();
  /// A quoted or bare value; nullopt if there is none. An error if a quoted one is malformed.
  Result<std::optional<Word>> take_word();

 private:
  std::string_view advance(std::size_t bytes);
  Result<std::optional<Word>> take_quoted();
  Result<> take_escape(std::string& out);

  std::string_view rest_;
  std::size_t column_ = 1;
};

}  // namespace rehearse::trace
