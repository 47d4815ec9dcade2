#include "trace/value_compare.h"

#include <algorithm>
#include <cstring>

namespace rehearse::trace {
namespace {

bool contains_bytes(std::string_view text, std::string_view part) {
  return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool contains_folded(std::string_view text, std::string_view part) {
  const auto equal = [](char a, char b) { return lowered(a) == lowered(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), equal) != text.end() || part.empty();
}

}  // namespace

std::optional<Number> number_of(const Value& value) {
  if (const auto* n = std::get_if<std::int64_t>(&value)) return *n;
  if (const auto* n = std::get_if<std::uint64_t>(&value)) return *n;
  if (const auto* named = std::get_if<NamedNumber>(&value)) return named->number;
  return std::nullopt;
}

bool compare_texts(Operator op, std::string_view a, std::string_view b) {
  switch (op) {
    case Operator::kContains:
    case Operator::kBcontains:
      return contains_bytes(a, b);
    case Operator::kIcontains:
      return contains_folded(a, b);
    case Operator::kStartswith:
    case Operator::kBstartswith:
      return a.starts_with(b);
    case Operator::kEndswith:
      return a.ends_with(b);
    default:
      return ordered(op, a, b);
  }
}

}  // namespace rehearse::trace
