#include "trace/filter.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rehearse::trace {
namespace {

template <class T>
using Values = std::optional<std::vector<T>>;

/// What a field must be, sorted, when a node is true and when it is false.
template <class T>
struct Required {
  Values<T> if_true;
  Values<T> if_false;
};

/// Both hold.
template <class T>
Values<T> both(Values<T> a, Values<T> b) {
  if (!a) return b;
  if (!b) return a;
  std::vector<T> result;
  std::ranges::set_intersection(*a, *b, std::back_inserter(result));
  return result;
}

/// One of them holds.
template <class T>
Values<T> either(Values<T> a, Values<T> b) {
  if (!a || !b) return std::nullopt;
  std::vector<T> result;
  std::ranges::set_union(*a, *b, std::back_inserter(result));
  return result;
}

template <class T, class OfCheck>
Required<T> required(const FilterNode& node, const OfCheck& of_check) {
  switch (node.kind) {
    case FilterNode::Kind::kCheck: {
      // A false check says nothing: the event may lack the field.
      Values<T> values = of_check(node.check);
      if (values) {
        std::ranges::sort(*values);
        values->erase(std::unique(values->begin(), values->end()), values->end());
      }
      return {std::move(values), std::nullopt};
    }
    case FilterNode::Kind::kNot: {
      auto inner = required<T>(node.children.front(), of_check);
      return {std::move(inner.if_false), std::move(inner.if_true)};
    }
    case FilterNode::Kind::kAnd:
    case FilterNode::Kind::kOr:
      break;
  }
  const bool all = node.kind == FilterNode::Kind::kAnd;
  auto result = required<T>(node.children.front(), of_check);
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    auto next = required<T>(node.children[i], of_check);
    result.if_true = all ? both(std::move(result.if_true), std::move(next.if_true))
                         : either(std::move(result.if_true), std::move(next.if_true));
    result.if_false = all ? either(std::move(result.if_false), std::move(next.if_false))
                          : both(std::move(result.if_false), std::move(next.if_false));
  }
  return result;
}

}  // namespace

Result<Filter> Filter::parse(std::string_view text) {
  RH_TRY(ParsedFilter parsed, parse_filter(text));
  return Filter(std::move(parsed));
}

Filter::Filter(ParsedFilter parsed) : parsed_(std::move(parsed)) {
  steps_.reserve(parsed_.checks.size());
  start_ = emit(parsed_.root, kAccept, kReject);
  for (const FilterCheck& check : parsed_.checks) {
    fields_.push_back(check.left().field);
    if (const Operand* right = check.right()) fields_.push_back(right->field);
  }
  // A filter of either end asks for both and, if there are none, for the field itself.
  for (const auto& [whole, client, server] : {std::array{Field::kFdIp, Field::kFdCip, Field::kFdSip},
                                              std::array{Field::kFdPort, Field::kFdCport, Field::kFdSport}}) {
    if (std::ranges::find(fields_, whole) != fields_.end()) fields_.insert(fields_.end(), {client, server});
  }
  std::ranges::sort(fields_);
  fields_.erase(std::unique(fields_.begin(), fields_.end()), fields_.end());
}

/// Emits from the last check to the first, since each has to know where the next one is.
std::uint32_t Filter::emit(const FilterNode& node, std::uint32_t if_true, std::uint32_t if_false) {
  switch (node.kind) {
    case FilterNode::Kind::kNot:
      return emit(node.children.front(), if_false, if_true);
    case FilterNode::Kind::kAnd:
    case FilterNode::Kind::kOr: {
      const bool all = node.kind == FilterNode::Kind::kAnd;
      std::uint32_t next = emit(node.children.back(), if_true, if_false);
      for (std::size_t i = node.children.size() - 1; i-- > 0;)
        next = all ? emit(node.children[i], next, if_false) : emit(node.children[i], if_true, next);
      return next;
    }
    case FilterNode::Kind::kCheck:
      break;
  }
  steps_.push_back({node.check, if_true, if_false});
  return static_cast<std::uint32_t>(steps_.size() - 1);
}

bool Filter::matches(const Event& event) const {
  std::uint32_t at = start_;
  while (at < kReject) {
    const Step& step = steps_[at];
    at = parsed_.checks[step.check].matches(event) ? step.if_true : step.if_false;
  }
  return at == kAccept;
}

void Filter::bind_types(const std::function<std::uint32_t(std::string_view)>& id_of) {
  for (FilterCheck& check : parsed_.checks) check.bind_types(id_of);
}

std::optional<std::vector<std::string>> Filter::required_types() const {
  const auto of_check = [&](std::uint32_t check) {
    return parsed_.checks[check].required_texts(Field::kEvtType);
  };
  return required<std::string>(parsed_.root, of_check).if_true;
}

std::optional<std::vector<std::int64_t>> Filter::required_numbers(Field field) const {
  const auto of_check = [&](std::uint32_t check) { return parsed_.checks[check].required_numbers(field); };
  return required<std::int64_t>(parsed_.root, of_check).if_true;
}

}  // namespace rehearse::trace
