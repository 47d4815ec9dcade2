#include "trace/filter_check.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/escape.h"
#include "trace/event_types.h"
#include "trace/filter_error.h"
#include "trace/glob.h"
#include "trace/value_compare.h"

namespace rehearse::trace {
namespace {

constexpr std::string_view kNames[] = {"=",           "!=",         "<",         "<=",        ">",
                                       ">=",          "contains",   "icontains", "bcontains", "startswith",
                                       "bstartswith", "endswith",   "glob",      "iglob",     "regex",
                                       "in",          "intersects", "pmatch",    "exists"};
constexpr std::size_t kMostAncestors = 256;
constexpr std::size_t kMostTypeId = 1U << 16U;
constexpr std::int64_t kRegexMemory = 1 << 20;
constexpr std::size_t kLongestRegex = 4096;

bool orders(Operator op) {
  return op >= Operator::kLess && op <= Operator::kGreaterEqual;
}
bool is_membership(Operator op) {
  return op == Operator::kIn || op == Operator::kIntersects;
}
bool takes_bytes(Operator op) {
  return op == Operator::kBcontains || op == Operator::kBstartswith;
}

bool fits(FieldType type, Operator op) {
  switch (type) {
    case FieldType::kString:
    case FieldType::kAny:
      return true;
    case FieldType::kBool:
    case FieldType::kIp:
      return op == Operator::kEqual || op == Operator::kNotEqual || is_membership(op) ||
             op == Operator::kExists;
    default:
      return op <= Operator::kGreaterEqual || is_membership(op) || op == Operator::kExists;
  }
}

std::string_view fitting(FieldType type) {
  const bool ordered = type != FieldType::kBool && type != FieldType::kIp;
  return ordered ? "use =, !=, <, <=, >, >=, in, intersects or exists"
                 : "use =, !=, in, intersects or exists";
}

Result<> check_fits(const Operand& left, Operator op, std::size_t column) {
  const FieldType type = left.type();
  if (fits(type, op)) return {};
  return filter_error(
      column,
      fmt::format("'{}' cannot compare {}, which is {}", operator_name(op), left.name(), type_phrase(type)),
      std::string(fitting(type)));
}

bool is_count(FieldType type) {
  return type == FieldType::kInt || type == FieldType::kUint || type == FieldType::kPort;
}

/// Types that can be compared with one another.
bool comparable(FieldType a, FieldType b) {
  if (a == b || a == FieldType::kAny || b == FieldType::kAny) return true;
  if (is_count(a) && is_count(b)) return true;
  const bool times = a == FieldType::kTime || a == FieldType::kDuration;
  const bool other_times = b == FieldType::kTime || b == FieldType::kDuration;
  return (times && b == FieldType::kUint) || (other_times && a == FieldType::kUint);
}

bool by_size(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace

std::optional<Operator> find_operator(std::string_view name) {
  if (name == "==") return Operator::kEqual;
  const auto* const found = std::ranges::find(kNames, name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Operator>(found - std::begin(kNames));
}

std::string_view operator_name(Operator op) {
  return kNames[static_cast<std::size_t>(op)];
}

std::string operator_names() {
  return fmt::format("{}", fmt::join(kNames, ", "));
}

bool takes_list(Operator op) {
  return is_membership(op) || op == Operator::kPmatch;
}

Result<FilterCheck> FilterCheck::with_words(Operand left, Operator op, std::size_t column,
                                            std::span<const Word> words) {
  FilterCheck check(std::move(left), op);
  const FieldType type = check.left_.type();
  RH_CHECK(check_fits(check.left_, op, column));
  for (const Word& word : words) RH_CHECK(check.add_word(word, type));
  check.finish();
  if (op == Operator::kExists) return check;
  switch (type) {
    case FieldType::kBool:
      check.kind_ = Kind::kBool;
      break;
    case FieldType::kString:
      check.kind_ = Kind::kText;
      break;
    case FieldType::kAny:
      check.kind_ = Kind::kAny;
      break;
    case FieldType::kIp:
      check.kind_ = Kind::kIp;
      break;
    default:
      check.kind_ = Kind::kNumber;
      break;
  }
  return check;
}

Result<FilterCheck> FilterCheck::with_operand(Operand left, Operator op, std::size_t column, Operand right) {
  FilterCheck check(std::move(left), op);
  const FieldType type = check.left_.type();
  RH_CHECK(check_fits(check.left_, op, column));
  const bool prepared = op == Operator::kRegex || op == Operator::kGlob || op == Operator::kIglob ||
                        op == Operator::kPmatch || takes_bytes(op);
  if (prepared) {
    return filter_error(right.column, fmt::format("'{}' takes no field on its right", operator_name(op)),
                        "write the pattern out");
  }
  if (!comparable(type, right.type())) {
    return filter_error(right.column,
                        fmt::format("{} is {}, {} is {}", check.left_.name(), type_phrase(type), right.name(),
                                    type_phrase(right.type())),
                        "compare fields of one type");
  }
  const ArgumentRule rule = info(right.field).argument;
  const bool several = right.field == Field::kFdIp || right.field == Field::kFdPort ||
                       (rule == ArgumentRule::kOptionalIndex && !right.argument.given());
  if (several) {
    return filter_error(right.column, fmt::format("{} can be several values", right.name()),
                        rule == ArgumentRule::kOptionalIndex
                            ? fmt::format("say which one: {}[1]", right.name())
                            : fmt::format("use fd.c{0} or fd.s{0}", info(right.field).name.substr(3)));
  }
  check.finish();
  check.kind_ = Kind::kOperand;
  check.right_ = std::move(right);
  if (check.reach_ == Reach::kType) check.reach_ = Reach::kOne;
  return check;
}

Result<> FilterCheck::add_word(const Word& word, FieldType type) {
  switch (type) {
    case FieldType::kBool:
      if (word.text != "true" && word.text != "false") {
        return filter_error(word.column,
                            fmt::format("{} is true or false, not {}", left_.name(), shown(word.text)),
                            "write true or false");
      }
      numbers_.push_back(word.text == "true" ? 1 : 0);
      return {};
    case FieldType::kIp: {
      const auto block = IpBlock::parse(word.text);
      if (!block) {
        return filter_error(word.column, fmt::format("{} is not an internet address", shown(word.text)),
                            "write an address or a block, such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32");
      }
      blocks_.push_back(*block);
      return {};
    }
    case FieldType::kString:
      return add_text(word);
    case FieldType::kAny:
      // Sorting would part a number from its text: they are looked up apart.
      if (const auto number = parse_number(word.text)) numbers_.push_back(*number);
      return add_text(word);
    default:
      return add_number(word, type);
  }
}

Result<> FilterCheck::add_number(const Word& word, FieldType type) {
  const auto wrong = [&](std::string fix) {
    return filter_error(word.column,
                        fmt::format("{} is {}, not {}", left_.name(), type_phrase(type), shown(word.text)),
                        std::move(fix));
  };
  if (type == FieldType::kDuration) {
    const auto ns = parse_nanoseconds(word.text);
    if (!ns) return wrong("write nanoseconds, or a number with ns, us, ms, s, m, h or d");
    numbers_.push_back(*ns);
    return {};
  }
  if (type == FieldType::kTime) {
    const auto time = parse_time(word.text);
    if (!time) return wrong("write 2026-11-24T10:00:00Z, or the seconds since the trace began");
    if (!numbers_.empty() && time->relative != (left_.field == Field::kEvtReltime))
      return wrong("do not mix absolute and relative times in one list");
    if (time->relative) left_.field = Field::kEvtReltime;
    numbers_.push_back(time->ns);
    return {};
  }
  const auto number = parse_number(word.text);
  if (!number) return wrong("write a decimal, hexadecimal (0x1f) or octal (017) number");
  constexpr Number kInt64 = Number{1} << 63U;
  const bool signs = type == FieldType::kInt;
  const Number least = signs ? -kInt64 : 0;
  const Number most = type == FieldType::kPort ? 65535 : signs ? kInt64 - 1 : 2 * kInt64 - 1;
  if (*number < least || *number > most) {
    return wrong(type == FieldType::kPort ? "write a number from 0 to 65535"
                 : signs                  ? "write a number of at most 63 bits"
                                          : "write a number that is not negative");
  }
  numbers_.push_back(*number);
  return {};
}

Result<> FilterCheck::add_text(const Word& word) {
  if (op_ == Operator::kRegex) return add_regex(word);
  if (op_ == Operator::kPmatch) {
    paths_.emplace_back(word.text);
    return {};
  }
  if (takes_bytes(op_)) {
    auto bytes = parse_hex(word.text);
    if (!bytes) {
      return filter_error(
          word.column,
          fmt::format("'{}' takes bytes in hexadecimal, not {}", operator_name(op_), shown(word.text)),
          "write two digits a byte, such as 7f454c46");
    }
    texts_.push_back(std::move(*bytes));
    return {};
  }
  // A name that no event can have is a slip of the pen, and would find nothing without a word.
  const bool names = op_ == Operator::kEqual || op_ == Operator::kNotEqual || is_membership(op_);
  if (left_.field == Field::kEvtType && left_.transforms.empty() && names && !is_event_type(word.text)) {
    const std::string_view near = nearest_event_type(word.text);
    return filter_error(word.column, fmt::format("there is no system call or event {}", shown(word.text)),
                        near.empty() ? "rehearse trace --fields says what evt.type can be"
                                     : fmt::format("did you mean {}?", near));
  }
  texts_.push_back(word.text);
  return {};
}

Result<> FilterCheck::add_regex(const Word& word) {
  if (word.text.size() > kLongestRegex) {
    return filter_error(word.column, "the regular expression is too long",
                        fmt::format("at most {} bytes are allowed", kLongestRegex));
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(kRegexMemory);
  // POSIX's extended syntax, and \d \w \s \b besides. A newline in a file's name hides nothing from `.` or
  // `$`.
  options.set_posix_syntax(true);
  options.set_perl_classes(true);
  options.set_word_boundary(true);
  options.set_one_line(true);
  options.set_dot_nl(true);
  auto regex = std::make_shared<re2::RE2>(word.text, options);
  if (!regex->ok()) {
    return filter_error(word.column, fmt::format("not a regular expression: {}", shown(regex->error())),
                        "write an extended regular expression (POSIX) that matches the whole value");
  }
  regex_ = std::move(regex);
  return {};
}

void FilterCheck::finish() {
  if (!numbers_.empty()) number_ = numbers_.front();
  if (!texts_.empty()) text_ = texts_.front();
  std::ranges::sort(numbers_);
  std::ranges::sort(texts_, by_size);
  const bool bare = left_.transforms.empty();
  if (left_.field == Field::kFdIp || left_.field == Field::kFdPort) reach_ = Reach::kEitherEnd;
  if (info(left_.field).argument == ArgumentRule::kOptionalIndex && !left_.argument.given())
    reach_ = Reach::kAncestors;
  if (left_.field == Field::kEvtType && bare &&
      (op_ == Operator::kEqual || op_ == Operator::kNotEqual || is_membership(op_)))
    reach_ = Reach::kType;
}

void FilterCheck::bind_types(const std::function<std::uint32_t(std::string_view)>& id_of) {
  if (reach_ != Reach::kType) return;
  types_.clear();
  types_bound_ = true;
  for (const std::string& name : texts_) {
    const std::uint32_t id = id_of(name);
    if (id == Event::kNoTypeId) continue;  // no event of this trace is of that type
    if (id >= kMostTypeId) {
      types_bound_ = false;
      return;
    }
    if (id >= types_.size()) types_.resize(id + 1);
    types_[id] = true;
  }
}

bool FilterCheck::matches(const Event& event) const {
  switch (reach_) {
    case Reach::kOne:
      break;
    case Reach::kType:
      if (types_bound_) {
        const std::uint32_t id = event.type_id();
        if (id != Event::kNoTypeId) return (id < types_.size() && types_[id]) != (op_ == Operator::kNotEqual);
      }
      break;
    case Reach::kEitherEnd:
      return match_either_end(event);
    case Reach::kAncestors:
      return match_ancestors(event);
  }
  return compare(event, event.value(left_.field, left_.argument));
}

bool FilterCheck::match_either_end(const Event& event) const {
  const bool ip = left_.field == Field::kFdIp;
  const Value ends[] = {event.value(ip ? Field::kFdCip : Field::kFdCport, left_.argument),
                        event.value(ip ? Field::kFdSip : Field::kFdSport, left_.argument)};
  bool known = false;
  bool every = true;
  for (const Value& end : ends) {
    if (std::holds_alternative<std::monostate>(end)) continue;
    known = true;
    const bool matched = compare(event, end);
    every = every && matched;
    // "Not this address" has to hold for both ends, everything else for one.
    if (matched && op_ != Operator::kNotEqual) return true;
  }
  if (!known) return compare(event, event.value(left_.field, left_.argument));
  return every && op_ == Operator::kNotEqual;
}

bool FilterCheck::match_ancestors(const Event& event) const {
  FieldArgument argument;
  for (std::size_t n = 1; n <= kMostAncestors; ++n) {
    argument.index = static_cast<std::int64_t>(n);
    const Value value = event.value(left_.field, argument);
    if (std::holds_alternative<std::monostate>(value)) return false;
    if (compare(event, value)) return true;
  }
  return false;
}

bool FilterCheck::compare(const Event& event, const Value& value) const {
  if (std::holds_alternative<std::monostate>(value)) return false;
  if (kind_ == Kind::kOperand) return compare_operand(event, value);
  if (left_.transforms.empty()) return compare_plain(value);
  std::string scratch;
  return compare_plain(left_.transformed(value, scratch));
}

bool FilterCheck::compare_plain(const Value& value) const {
  if (std::holds_alternative<std::monostate>(value)) return false;
  switch (kind_) {
    case Kind::kExists:
      return true;
    case Kind::kBool: {
      const auto* flag = std::get_if<bool>(&value);
      return flag != nullptr && compare_number(*flag ? 1 : 0);
    }
    case Kind::kNumber: {
      const auto number = number_of(value);
      return number && compare_number(*number);
    }
    case Kind::kText: {
      if (const auto* text = std::get_if<std::string_view>(&value)) return compare_text(*text);
      std::array<char, 46> buffer;
      return compare_text(text_of(value, buffer));
    }
    case Kind::kAny:
      return compare_any(value);
    case Kind::kIp:
      return compare_ip(value);
    case Kind::kOperand:
      break;
  }
  return false;
}

bool FilterCheck::compare_number(Number value) const {
  if (!is_membership(op_)) return ordered(op_, value, number_);
  return std::ranges::binary_search(numbers_, value);
}

bool FilterCheck::is_member(std::string_view value) const {
  if (texts_.empty() || value.size() < texts_.front().size() || value.size() > texts_.back().size())
    return false;
  return std::binary_search(texts_.begin(), texts_.end(), value, by_size);
}

bool FilterCheck::compare_text(std::string_view value) const {
  switch (op_) {
    case Operator::kIn:
    case Operator::kIntersects:
      return is_member(value);
    case Operator::kPmatch:
      return std::ranges::any_of(paths_, [&](const PathPrefix& path) { return path.matches(value); });
    case Operator::kGlob:
      return glob_matches(text_, value);
    case Operator::kIglob:
      return glob_matches(text_, value, true);
    case Operator::kRegex: {
      // What is not UTF-8 would match no element of a pattern, so that a byte could hide a name.
      if (is_utf8(value)) return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_);
      return re2::RE2::FullMatch(to_utf8_lossy(value), *regex_);
    }
    default:
      return compare_texts(op_, value, text_);
  }
}

bool FilterCheck::compare_any(const Value& value) const {
  std::array<char, 46> buffer;
  const auto number = number_of(value);
  if (const auto* named = std::get_if<NamedNumber>(&value)) {
    const bool equal = op_ == Operator::kEqual || op_ == Operator::kNotEqual || is_membership(op_);
    if (equal) {
      const bool found = std::ranges::binary_search(numbers_, named->number) || is_member(named->text);
      return found != (op_ == Operator::kNotEqual);
    }
  }
  if (number && op_ == Operator::kNotEqual) return numbers_.empty() || *number != number_;
  if (number && (op_ == Operator::kEqual || is_membership(op_)))
    return std::ranges::binary_search(numbers_, *number);
  if (orders(op_) && !numbers_.empty()) {
    if (number) return ordered(op_, *number, number_);
    if (const auto parsed = parse_number(text_of(value, buffer))) return ordered(op_, *parsed, number_);
  }
  return compare_text(text_of(value, buffer));
}

bool FilterCheck::compare_ip(const Value& value) const {
  const auto* address = std::get_if<IpAddress>(&value);
  if (address == nullptr) return false;
  const bool found =
      std::ranges::any_of(blocks_, [&](const IpBlock& block) { return block.contains(*address); });
  return found != (op_ == Operator::kNotEqual);
}

bool FilterCheck::compare_operand(const Event& event, const Value& value) const {
  std::string left_scratch;
  Value left = left_.transformed(value, left_scratch);
  // The event may reuse the memory of its text when it is asked again.
  if (const auto* text = std::get_if<std::string_view>(&left); text != nullptr) {
    if (left_.transforms.empty()) left_scratch = *text;
    left = std::string_view(left_scratch);
  } else if (auto* named = std::get_if<NamedNumber>(&left)) {
    left_scratch = named->text;
    named->text = left_scratch;
  }
  std::string right_scratch;
  const Value right = right_->transformed(event.value(right_->field, right_->argument), right_scratch);
  if (std::holds_alternative<std::monostate>(left) || std::holds_alternative<std::monostate>(right))
    return false;
  if (const auto a = number_of(left), b = number_of(right); a && b && op_ <= Operator::kGreaterEqual)
    return ordered(op_, *a, *b);
  std::array<char, 46> left_buffer;
  std::array<char, 46> right_buffer;
  const Operator op = is_membership(op_) ? Operator::kEqual : op_;
  return compare_texts(op, text_of(left, left_buffer), text_of(right, right_buffer));
}

std::optional<std::vector<std::string>> FilterCheck::required_texts(Field field) const {
  const bool names = kind_ == Kind::kText && (op_ == Operator::kEqual || is_membership(op_));
  if (!names || left_.field != field || !left_.transforms.empty() || reach_ == Reach::kAncestors)
    return std::nullopt;
  return texts_;
}

std::optional<std::vector<std::int64_t>> FilterCheck::required_numbers(Field field) const {
  const bool names = kind_ == Kind::kNumber && (op_ == Operator::kEqual || is_membership(op_));
  const bool one = reach_ == Reach::kOne && !left_.argument.given();
  if (!names || left_.field != field || !left_.transforms.empty() || !one) return std::nullopt;
  std::vector<std::int64_t> result;
  for (const Number number : numbers_) {
    if (number >= Number{1} << 63U) return std::nullopt;
    result.push_back(static_cast<std::int64_t>(number));
  }
  return result;
}

}  // namespace rehearse::trace
