// One side of a comparison that asks the event: a field, its argument, and functions around it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trace/value.h"

namespace rehearse::trace {

enum class Transform : std::uint8_t { kTolower, kToupper, kB64, kBasename, kLen };

std::optional<Transform> find_transform(std::string_view name);
std::string_view transform_name(Transform transform);

struct Operand {
  Field field{};
  FieldArgument argument;
  std::vector<Transform> transforms;  ///< innermost first
  std::size_t column = 1;             ///< where it starts in the filter

  /// What it yields: the field's type, or that of the last function.
  [[nodiscard]] FieldType type() const;
  /// As one would write it, without argument.
  [[nodiscard]] std::string name() const;
  /// Applies the functions; text that they make lies in `scratch`. monostate if one of them fails.
  [[nodiscard]] Value transformed(Value value, std::string& scratch) const;
};

/// The value as text, in the buffer if it is none. Empty for monostate.
std::string_view text_of(const Value& value, std::span<char, 46> buffer);

}  // namespace rehearse::trace
