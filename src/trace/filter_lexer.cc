#include "trace/filter_lexer.h"

#include "trace/filter_error.h"

namespace rehearse::trace {
namespace {

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == '\b';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_name_part(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}
bool is_bare(char c) {
  return !is_blank(c) && !std::string_view("()\"'=,").contains(c);
}
bool is_bare_argument(char c) {
  return !is_blank(c) && !std::string_view("[]\"'").contains(c);
}

template <class Predicate>
std::size_t length_while(std::string_view text, Predicate predicate) {
  std::size_t n = 0;
  while (n < text.size() && predicate(text[n])) ++n;
  return n;
}

}  // namespace

std::string_view FilterLexer::advance(std::size_t bytes) {
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(taken.size());
  for (const char c : taken) {
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80) ++column_;
  }
  return taken;
}

std::string FilterLexer::next_shown() const {
  if (rest_.empty()) return "the end";
  const std::size_t size = length_while(rest_, is_bare);
  return shown(rest_.substr(0, size == 0 ? 1 : size));
}

void FilterLexer::skip_blanks() {
  advance(length_while(rest_, is_blank));
}

bool FilterLexer::take(char c) {
  if (rest_.empty() || rest_[0] != c) return false;
  advance(1);
  return true;
}

bool FilterLexer::take_keyword(std::string_view word) {
  if (!rest_.starts_with(word)) return false;
  const std::string_view after = rest_.substr(word.size());
  if (!after.empty() && (is_name_part(after[0]) || after[0] == '.')) return false;
  advance(word.size());
  return true;
}

std::string_view FilterLexer::take_name() {
  std::size_t size = 0;
  while (size < rest_.size() && is_letter(rest_[size])) {
    size += length_while(rest_.substr(size), is_name_part);
    if (size + 1 >= rest_.size() || rest_[size] != '.' || !is_letter(rest_[size + 1])) break;
    ++size;
  }
  return advance(size);
}

std::string_view FilterLexer::take_operator() {
  for (const std::string_view symbol : {"==", "=", "!=", "<=", "<", ">=", ">"}) {
    if (rest_.starts_with(symbol)) return advance(symbol.size());
  }
  return advance(length_while(rest_, is_name_part));
}

std::string_view FilterLexer::take_bare_argument() {
  return advance(length_while(rest_, is_bare_argument));
}

std::optional<std::string_view> FilterLexer::take_function() {
  const std::size_t size = length_while(rest_, is_name_part);
  if (size == 0 || size == rest_.size() || rest_[size] != '(') return std::nullopt;
  return advance(size + 1).substr(0, size);
}

Result<std::optional<Word>> FilterLexer::take_word() {
  if (peek() == '"' || peek() == '\'') return take_quoted();
  const std::size_t column = column_;
  const std::string_view bare = advance(length_while(rest_, is_bare));
  if (bare.empty()) return std::nullopt;
  return Word{std::string(bare), column};
}

Result<std::optional<Word>> FilterLexer::take_quoted() {
  const char quote = rest_[0];
  Word word{.text = {}, .column = column_};
  advance(1);
  while (!rest_.empty()) {
    const char c = rest_[0];
    if (c == '\\') {
      RH_CHECK(take_escape(word.text));
      continue;
    }
    advance(1);
    if (c == quote) return word;
    word.text += c;
  }
  return filter_error(word.column, "the quoted text does not end", fmt::format("close it with {}", quote));
}

Result<> FilterLexer::take_escape(std::string& out) {
  const std::size_t column = column_;
  advance(1);
  constexpr std::string_view kLetters = "bfnrt\\/\"'";
  constexpr std::string_view kMeanings = "\b\f\n\r\t\\/\"'";
  const std::size_t known = rest_.empty() ? std::string_view::npos : kLetters.find(rest_[0]);
  if (known != std::string_view::npos) {
    out += kMeanings[known];
    advance(1);
    return {};
  }
  if (peek() == 'x' && rest_.size() > 2) {
    if (const auto byte = parse_hex(rest_.substr(1, 2))) {
      out += *byte;
      advance(3);
      return {};
    }
  }
  return filter_error(column, fmt::format("'\\{}' is no escape", rest_.substr(0, 1)),
                      R"(write \\ for a backslash; known are \" \' \\ \/ \b \f \n \r \t \xHH)");
}

}  // namespace rehearse::trace
