// One comparison of a filter: `fd.name startswith /etc`. Everything is parsed and typed when it is made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "trace/literal.h"
#include "trace/operand.h"
#include "trace/path_prefix.h"

namespace re2 {
class RE2;
}

namespace rehearse::trace {

enum class Operator : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kContains,
  kIcontains,
  kBcontains,
  kStartswith,
  kBstartswith,
  kEndswith,
  kGlob,
  kIglob,
  kRegex,
  kIn,
  kIntersects,
  kPmatch,
  kExists,
};

/// Also "==".
std::optional<Operator> find_operator(std::string_view name);
std::string_view operator_name(Operator op);
/// All of them, for an error: "=, !=, …".
std::string operator_names();
/// Takes a list: in, intersects, pmatch.
bool takes_list(Operator op);

/// A value as it stands in the filter, unquoted.
struct Word {
  std::string text;
  std::size_t column = 1;
};

class FilterCheck {
 public:
  /// `words` is empty for exists, one for operators that take one value. kUsage if a type does not fit.
  static Result<FilterCheck> with_words(Operand left, Operator op, std::size_t column,
                                        std::span<const Word> words);
  /// `left op val(right)`.
  static Result<FilterCheck> with_operand(Operand left, Operator op, std::size_t column, Operand right);

  [[nodiscard]] bool matches(const Event& event) const;

  [[nodiscard]] const Operand& left() const { return left_; }
  [[nodiscard]] const Operand* right() const { return right_ ? &*right_ : nullptr; }
  [[nodiscard]] bool has_regex() const { return regex_ != nullptr; }

  /// The values of which the field has one if this matches; nullopt if the check says nothing of the kind.
  [[nodiscard]] std::optional<std::vector<std::string>> required_texts(Field field) const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> required_numbers(Field field) const;

  void bind_types(const std::function<std::uint32_t(std::string_view)>& id_of);

 private:
  enum class Kind : std::uint8_t { kExists, kBool, kNumber, kText, kAny, kIp, kOperand };
  enum class Reach : std::uint8_t { kOne, kType, kEitherEnd, kAncestors };

  FilterCheck(Operand left, Operator op) : left_(std::move(left)), op_(op) {}
  Result<> add_word(const Word& word, FieldType type);
  Result<> add_number(const Word& word, FieldType type);
  Result<> add_text(const Word& word);
  Result<> add_regex(const Word& word);
  void finish();

  [[nodiscard]] bool compare(const Event& event, const Value& value) const;
  [[nodiscard]] bool compare_plain(const Value& value) const;
  [[nodiscard]] bool compare_number(Number value) const;
  [[nodiscard]] bool compare_text(std::string_view value) const;
  [[nodiscard]] bool compare_any(const Value& value) const;
  [[nodiscard]] bool compare_ip(const Value& value) const;
  [[nodiscard]] bool compare_operand(const Event& event, const Value& value) const;
  [[nodiscard]] bool match_either_end(const Event& event) const;
  [[nodiscard]] bool match_ancestors(const Event& event) const;
  [[nodiscard]] bool is_member(std::string_view value) const;

  Operand left_;
  Operator op_;
  Kind kind_ = Kind::kExists;
  Reach reach_ = Reach::kOne;
  bool types_bound_ = false;
  Number number_ = 0;  ///< the only one, or the first
  std::string text_;
  std::vector<Number> numbers_;     ///< sorted
  std::vector<std::string> texts_;  ///< sorted by size, then bytes
  std::vector<IpBlock> blocks_;
  std::vector<PathPrefix> paths_;
  std::vector<bool> types_;  ///< by type id
  std::shared_ptr<const re2::RE2> regex_;
  std::optional<Operand> right_;
};

}  // namespace rehearse::trace
