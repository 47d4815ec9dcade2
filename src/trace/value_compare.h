// Two values compared as an operator says; what needs nothing prepared.
#pragma once

#include <optional>
#include <string_view>

#include "trace/filter_check.h"
#include "trace/literal.h"
#include "trace/value.h"

namespace rehearse::trace {

/// The value as a number, if it is one.
std::optional<Number> number_of(const Value& value);

/// By =, !=, < and their like; every other operator is =.
template <class T>
bool ordered(Operator op, const T& a, const T& b) {
  switch (op) {
    case Operator::kNotEqual:
      return a != b;
    case Operator::kLess:
      return a < b;
    case Operator::kLessEqual:
      return a <= b;
    case Operator::kGreater:
      return a > b;
    case Operator::kGreaterEqual:
      return a >= b;
    default:
      return a == b;
  }
}

/// Also what looks for one text in another.
bool compare_texts(Operator op, std::string_view a, std::string_view b);

}  // namespace rehearse::trace
