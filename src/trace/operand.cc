#include "trace/operand.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/escape.h"
#include "base/ip_address.h"

namespace rehearse::trace {
namespace {

constexpr std::string_view kNames[] = {"tolower", "toupper", "b64", "basename", "len"};

/// Decodes with or without padding.
std::optional<std::string> decoded(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.empty()) return std::string();
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::string bytes = from_base64(padded);
  if (bytes.empty()) return std::nullopt;
  return bytes;
}

template <char kFrom, char kTo, int kBy>
std::string mapped(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= kFrom && c <= kTo) c = static_cast<char>(c + kBy);
  }
  return result;
}

}  // namespace

std::optional<Transform> find_transform(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Transform>(found - std::begin(kNames));
}

std::string_view transform_name(Transform transform) {
  return kNames[static_cast<std::size_t>(transform)];
}

FieldType Operand::type() const {
  if (transforms.empty()) return info(field).type;
  return transforms.back() == Transform::kLen ? FieldType::kUint : FieldType::kString;
}

std::string Operand::name() const {
  std::string result(info(field).name);
  for (const Transform transform : transforms)
    result = fmt::format("{}({})", transform_name(transform), result);
  return result;
}

Value Operand::transformed(Value value, std::string& scratch) const {
  std::array<char, 46> buffer;
  for (const Transform transform : transforms) {
    if (std::holds_alternative<std::monostate>(value)) return value;
    const std::string_view text = text_of(value, buffer);
    switch (transform) {
      case Transform::kTolower:
        scratch = mapped<'A', 'Z', 32>(text);
        break;
      case Transform::kToupper:
        scratch = mapped<'a', 'z', -32>(text);
        break;
      case Transform::kB64: {
        auto bytes = decoded(text);
        if (!bytes) return std::monostate();
        scratch = std::move(*bytes);
        break;
      }
      case Transform::kBasename:
        scratch = std::string(text.substr(text.rfind('/') + 1));
        break;
      case Transform::kLen:
        return static_cast<std::uint64_t>(text.size());
    }
    value = std::string_view(scratch);
  }
  return value;
}

std::string_view text_of(const Value& value, std::span<char, 46> buffer) {
  const auto number = [&](auto n) {
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), n);
    return std::string_view(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  };
  if (const auto* text = std::get_if<std::string_view>(&value)) return *text;
  if (const auto* n = std::get_if<std::int64_t>(&value)) return number(*n);
  if (const auto* n = std::get_if<std::uint64_t>(&value)) return number(*n);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* named = std::get_if<NamedNumber>(&value)) return named->text;
  if (const auto* address = std::get_if<IpAddress>(&value)) return format_ip(*address, buffer);
  return {};
}

}  // namespace rehearse::trace
