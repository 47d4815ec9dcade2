// Writes JSON text in the order of the calls, without a tree in memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse {

/// Appends to a string that the caller may drain between values. The caller keeps the nesting right.
class JsonWriter {
 public:
  /// kCanonical escapes as RFC 8785 has it (keys in order are the caller's part); kSafe also writes invisible
  /// and directional characters as \u escapes: the same document, harmless on a terminal.
  enum class Style { kSafe, kCanonical };
  explicit JsonWriter(std::string& out, Style style = Style::kSafe) : out_(out), style_(style) {}

  JsonWriter& open_object() { return open('{'); }
  JsonWriter& close_object() { return close('}'); }
  JsonWriter& open_array() { return open('['); }
  JsonWriter& close_array() { return close(']'); }
  /// The name is well-formed UTF-8.
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view utf8);
  JsonWriter& integer(std::int64_t value);
  JsonWriter& integer(std::uint64_t value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// Nanoseconds as decimal seconds, exact.
  JsonWriter& seconds(std::int64_t ns);
  /// A number in [0, 1] with at most four decimals.
  JsonWriter& ratio(double value);

  /// key + string of raw bytes: lossy under `name`, and exact under `name_b64` if that lost something.
  JsonWriter& bytes(std::string_view name, std::string_view raw);
  /// key + array of raw strings; if one is not UTF-8, all of them once more as base64 under `name_b64`.
  JsonWriter& words(std::string_view name, const std::vector<std::string>& raw);

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void separate();
  std::string& out_;
  Style style_;
  bool first_ = true;  ///< no comma before the next value
};

}  // namespace rehearse
