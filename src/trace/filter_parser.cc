#include "trace/filter_parser.h"

#include <charconv>
#include <utility>

#include "base/escape.h"
#include "syscalls/argument_names.h"
#include "trace/filter_error.h"
#include "trace/filter_lexer.h"

namespace rehearse::trace {
namespace {

constexpr std::string_view kTransforms = "tolower(), toupper(), b64(), basename(), len()";
constexpr std::int64_t kLargestIndex = 65535;

bool is_text(FieldType type) {
  return type == FieldType::kString || type == FieldType::kAny;
}

/// What no call has would find nothing without a word.
Result<> check_call_argument(const FieldArgument& argument, std::size_t column) {
  if (argument.name.empty()) {
    if (argument.index < static_cast<std::int64_t>(syscalls::kMaxArguments)) return {};
    return filter_error(column, fmt::format("no system call has an argument {}", argument.index),
                        fmt::format("they are counted from 0 to {}", syscalls::kMaxArguments - 1));
  }
  if (syscalls::is_argument_name(argument.name)) return {};
  const std::string_view near = syscalls::nearest_argument_name(argument.name);
  return filter_error(column, fmt::format("no system call has an argument {}", shown(argument.name)),
                      near.empty()
                          ? "write its name as the call's manual page has it, or its number: evt.arg[0]"
                          : fmt::format("did you mean evt.arg.{}?", near));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : in_(text) {}

  Result<ParsedFilter> parse();

 private:
  Result<FilterNode> parse_or();
  Result<FilterNode> parse_and();
  Result<FilterNode> parse_not();
  Result<FilterNode> parse_check();
  Result<FilterNode> add_check(FilterCheck check, std::size_t column);
  Result<FilterCheck> parse_condition(Operand left);
  Result<std::vector<Word>> parse_list();
  Result<Word> parse_word(std::string_view wanted);
  Result<Operand> parse_operand();
  Result<Operand> parse_field();
  Result<Operand> parse_function(std::string_view name, std::size_t column, bool right);
  Result<> parse_argument(Operand& operand);
  Result<> enter();
  void leave() { --depth_; }
  tl::unexpected<Error> expected(std::string_view what, std::string fix);

  FilterLexer in_;
  std::size_t depth_ = 0;
  std::size_t regexes_ = 0;
  ParsedFilter out_;
};

tl::unexpected<Error> Parser::expected(std::string_view what, std::string fix) {
  return filter_error(in_.column(), fmt::format("expected {}, found {}", what, in_.next_shown()),
                      std::move(fix));
}

Result<> Parser::enter() {
  if (++depth_ <= kDeepestFilter) return {};
  return filter_error(in_.column(), "parentheses are nested too deep",
                      fmt::format("at most {} levels are allowed", kDeepestFilter));
}

Result<ParsedFilter> Parser::parse() {
  in_.skip_blanks();
  if (in_.at_end())
    return filter_error(1, "the filter is empty", "write a comparison, such as evt.type = openat");
  RH_TRY(out_.root, parse_or());
  in_.skip_blanks();
  if (!in_.at_end()) {
    return expected("'and', 'or' or the end",
                    in_.peek() == ')'
                        ? "remove the parenthesis or open one before it"
                        : "join comparisons with and / or; quote a value that has blanks in it");
  }
  return std::move(out_);
}

Result<FilterNode> Parser::parse_or() {
  RH_TRY(FilterNode first, parse_and());
  FilterNode node;
  node.kind = FilterNode::Kind::kOr;
  node.children.push_back(std::move(first));
  for (in_.skip_blanks(); in_.take_keyword("or"); in_.skip_blanks()) {
    RH_TRY(FilterNode next, parse_and());
    node.children.push_back(std::move(next));
  }
  if (node.children.size() == 1) return std::move(node.children.front());
  return node;
}

Result<FilterNode> Parser::parse_and() {
  RH_TRY(FilterNode first, parse_not());
  FilterNode node;
  node.kind = FilterNode::Kind::kAnd;
  node.children.push_back(std::move(first));
  for (in_.skip_blanks(); in_.take_keyword("and"); in_.skip_blanks()) {
    RH_TRY(FilterNode next, parse_not());
    node.children.push_back(std::move(next));
  }
  if (node.children.size() == 1) return std::move(node.children.front());
  return node;
}

Result<FilterNode> Parser::parse_not() {
  bool negated = false;
  for (in_.skip_blanks(); in_.take_keyword("not"); in_.skip_blanks()) negated = !negated;
  RH_TRY(FilterNode child, parse_check());
  if (!negated) return child;
  FilterNode node;
  node.kind = FilterNode::Kind::kNot;
  node.children.push_back(std::move(child));
  return node;
}

Result<FilterNode> Parser::parse_check() {
  const std::size_t column = in_.column();
  if (in_.take('(')) {
    RH_CHECK(enter());
    RH_TRY(FilterNode inner, parse_or());
    in_.skip_blanks();
    if (!in_.take(')')) return expected("')'", fmt::format("close the parenthesis of column {}", column));
    leave();
    return inner;
  }
  RH_TRY(Operand left, parse_operand());
  RH_TRY(FilterCheck check, parse_condition(std::move(left)));
  return add_check(std::move(check), column);
}

Result<FilterNode> Parser::add_check(FilterCheck check, std::size_t column) {
  if (check.has_regex() && ++regexes_ > kMostRegexes) {
    return filter_error(column, "too many regular expressions",
                        fmt::format("at most {} are allowed; join some with |", kMostRegexes));
  }
  if (out_.checks.size() >= kMostChecks) {
    return filter_error(column, "too many comparisons",
                        fmt::format("at most {} are allowed; use in (a, b, …)", kMostChecks));
  }
  FilterNode node;
  node.check = static_cast<std::uint32_t>(out_.checks.size());
  out_.checks.push_back(std::move(check));
  return node;
}

Result<FilterCheck> Parser::parse_condition(Operand left) {
  in_.skip_blanks();
  const std::size_t column = in_.column();
  const std::string found = in_.next_shown();
  const std::string_view name = in_.take_operator();
  const auto op = find_operator(name);
  if (!op) {
    const bool flag = left.type() == FieldType::kBool;
    return filter_error(column, fmt::format("expected an operator after {}, found {}", left.name(), found),
                        flag ? fmt::format("write {} = true", left.name())
                             : fmt::format("operators are {}", operator_names()));
  }
  if (*op == Operator::kExists) return FilterCheck::with_words(std::move(left), *op, column, {});

  in_.skip_blanks();
  const std::size_t value_column = in_.column();
  if (const auto function = in_.take_function()) {
    RH_TRY(Operand right, parse_function(*function, value_column, true));
    return FilterCheck::with_operand(std::move(left), *op, column, std::move(right));
  }
  std::vector<Word> words;
  if (takes_list(*op) && in_.take('(')) {
    RH_TRY(words, parse_list());
  } else {
    if (in_.peek() == '(')
      return expected(fmt::format("one value after '{}'", name), "use in (a, b) to compare with several");
    const bool quoted = in_.peek() == '"' || in_.peek() == '\'';
    RH_TRY(Word word, parse_word(fmt::format("a value after '{}'", name)));
    if (!quoted && find_field(word.text) != nullptr) {
      return filter_error(
          value_column, fmt::format("{} is a field, not a value", shown(word.text)),
          fmt::format("write val({0}) for what it holds, or \"{0}\" for the text", word.text));
    }
    words.push_back(std::move(word));
  }
  return FilterCheck::with_words(std::move(left), *op, column, words);
}

Result<std::vector<Word>> Parser::parse_list() {
  std::vector<Word> words;
  in_.skip_blanks();
  if (in_.take(')')) return words;
  while (true) {
    in_.skip_blanks();
    RH_TRY(Word word, parse_word("a value in the list"));
    words.push_back(std::move(word));
    in_.skip_blanks();
    if (in_.take(')')) return words;
    if (!in_.take(','))
      return expected("',' or ')' in the list", "separate values with commas and close the list with )");
  }
}

Result<Word> Parser::parse_word(std::string_view wanted) {
  RH_TRY(auto word, in_.take_word());
  if (word) return std::move(*word);
  return expected(wanted, "write a number, a word or a quoted text");
}

Result<Operand> Parser::parse_operand() {
  in_.skip_blanks();
  const std::size_t column = in_.column();
  if (const auto function = in_.take_function()) return parse_function(*function, column, false);
  return parse_field();
}

Result<Operand> Parser::parse_function(std::string_view name, std::size_t column, bool right) {
  const auto transform = find_transform(name);
  const bool plain = right && name == "val";
  if (!transform && !plain) {
    return filter_error(column, fmt::format("there is no function {}", shown(name)),
                        fmt::format("functions are {}{}", kTransforms,
                                    right ? ", val()" : "; val() only stands on the right"));
  }
  RH_CHECK(enter());
  in_.skip_blanks();
  const std::size_t inner = in_.column();
  auto operand = plain ? parse_field() : parse_operand();
  if (!operand) return operand;
  if (transform) {
    if (!is_text(operand->type())) {
      return filter_error(
          inner,
          fmt::format("{}() takes text, {} is {}", name, operand->name(), type_phrase(operand->type())),
          "leave the function out");
    }
    operand->transforms.push_back(*transform);
  }
  operand->column = column;
  in_.skip_blanks();
  if (!in_.take(')')) return expected("')'", fmt::format("close the parenthesis of {}(", name));
  leave();
  return operand;
}

Result<Operand> Parser::parse_field() {
  const std::size_t column = in_.column();
  const std::string found = in_.next_shown();
  const std::string_view name = in_.take_name();
  if (name.empty()) {
    return filter_error(
        column, fmt::format("expected a field, found {}", found),
        "write a comparison, such as evt.type = openat; rehearse trace --fields lists the fields");
  }
  constexpr std::string_view kArgument = "evt.arg.";
  Operand operand;
  operand.column = column;
  const FieldInfo* field = find_field(name);
  if (field == nullptr && name.starts_with(kArgument)) {
    field = &info(Field::kEvtArg);
    operand.argument.name = name.substr(kArgument.size());
  }
  if (field == nullptr) {
    const std::string_view near = nearest_field(name);
    return filter_error(column, fmt::format("there is no field {}", shown(name)),
                        near.empty()
                            ? "rehearse trace --fields lists the fields"
                            : fmt::format("did you mean {}? rehearse trace --fields lists all", near));
  }
  operand.field = field->field;
  RH_CHECK(parse_argument(operand));
  return operand;
}

Result<> Parser::parse_argument(Operand& operand) {
  const FieldInfo& field = info(operand.field);
  const std::size_t column = in_.column();
  if (!operand.argument.given() && in_.take('[')) {
    if (field.argument == ArgumentRule::kNone) {
      return filter_error(column, fmt::format("{} takes no argument", field.name), "remove the brackets");
    }
    const bool quoted = in_.peek() == '"' || in_.peek() == '\'';
    if (quoted) {
      RH_TRY(auto word, in_.take_word());
      operand.argument.name = std::move(word->text);
    } else {
      operand.argument.name = in_.take_bare_argument();
    }
    const std::string& text = operand.argument.name;
    std::int64_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    const bool number = !quoted && error == std::errc() && end == text.data() + text.size();
    if (text.empty() || (number && (index < 0 || index > kLargestIndex)) ||
        (!number && field.argument == ArgumentRule::kOptionalIndex)) {
      return filter_error(column + 1, fmt::format("{} is no argument for {}", shown(text), field.name),
                          field.argument == ArgumentRule::kRequired
                              ? fmt::format("write {0}[0] or {0}.path", field.name)
                              : fmt::format("write a number, such as {}[1]", field.name));
    }
    if (number) operand.argument = FieldArgument{.name = {}, .index = index};
    if (!in_.take(']')) return expected("']'", "close the bracket");
  }
  if (field.argument != ArgumentRule::kRequired) return {};
  if (!operand.argument.given()) {
    return filter_error(column, fmt::format("{} needs an argument", field.name),
                        fmt::format("write {0}[0] or {0}.path", field.name));
  }
  return check_call_argument(operand.argument, operand.column);
}

}  // namespace

Result<ParsedFilter> parse_filter(std::string_view text) {
  if (text.size() > kLongestFilter) {
    return filter_error(1, fmt::format("the filter has {} bytes", text.size()),
                        fmt::format("at most {} are allowed", kLongestFilter));
  }
  return Parser(text).parse();
}

}  // namespace rehearse::trace
