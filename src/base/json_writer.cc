#include "base/json_writer.h"

#include <fmt/format.h>

#include <iterator>

#include "base/escape.h"

namespace rehearse {
namespace {

struct Decoded {
  char32_t code = 0;
  std::size_t length = 1;
};

/// One character of text that is known to be well formed.
Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const char32_t lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const auto tail = [&](std::size_t i) { return static_cast<char32_t>(byte(at + i) & 0x3fU); };
  if (lead < 0xe0) return {(lead & 0x1fU) << 6U | tail(1), 2};
  if (lead < 0xf0) return {(lead & 0x0fU) << 12U | tail(1) << 6U | tail(2), 3};
  return {(lead & 0x07U) << 18U | tail(1) << 12U | tail(2) << 6U | tail(3), 4};
}

void append_unit(std::string& out, unsigned unit) {
  fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit);
}

void append_escaped(std::string& out, char32_t c) {
  if (c < 0x10000) {
    append_unit(out, static_cast<unsigned>(c));
    return;
  }
  const char32_t offset = c - 0x10000;
  append_unit(out, 0xd800U + static_cast<unsigned>(offset >> 10U));
  append_unit(out, 0xdc00U + static_cast<unsigned>(offset & 0x3ffU));
}

void append_ascii(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      append_unit(out, static_cast<unsigned char>(c));
  }
}

}  // namespace

void JsonWriter::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

JsonWriter& JsonWriter::open(char c) {
  separate();
  out_ += c;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char c) {
  out_ += c;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  string(name);
  out_ += ':';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view utf8) {
  separate();
  out_ += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      const bool special = c < 0x20 || c == '"' || c == '\\' || (c == 0x7f && style_ == Style::kSafe);
      if (special) {
        out_.append(utf8, plain, i - plain);
        append_ascii(out_, utf8[i]);
        plain = i + 1;
      }
      ++i;
      continue;
    }
    const Decoded decoded = decode(utf8, i);
    if (style_ == Style::kSafe && is_deceptive(decoded.code)) {
      out_.append(utf8, plain, i - plain);
      append_escaped(out_, decoded.code);
      plain = i + decoded.length;
    }
    i += decoded.length;
  }
  if (plain < utf8.size()) out_.append(utf8, plain, std::string_view::npos);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t value) {
  separate();
  const fmt::format_int text(value);
  out_.append(text.data(), text.size());
  return *this;
}

JsonWriter& JsonWriter::integer(std::uint64_t value) {
  separate();
  const fmt::format_int text(value);
  out_.append(text.data(), text.size());
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::seconds(std::int64_t ns) {
  separate();
  const bool negative = ns < 0;
  const std::uint64_t value = negative ? ~static_cast<std::uint64_t>(ns) + 1 : static_cast<std::uint64_t>(ns);
  std::string text =
      fmt::format("{}{}.{:09}", negative ? "-" : "", value / 1'000'000'000, value % 1'000'000'000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text += '0';
  out_ += text;
  return *this;
}

JsonWriter& JsonWriter::ratio(double value) {
  separate();
  std::string text = fmt::format("{:.4f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text += '0';
  out_ += text;
  return *this;
}

JsonWriter& JsonWriter::bytes(std::string_view name, std::string_view raw) {
  key(name);
  if (is_utf8(raw)) return string(raw);
  string(to_utf8_lossy(raw));
  std::string twin(name);
  twin += "_b64";
  return key(twin).string(base64(raw));
}

JsonWriter& JsonWriter::words(std::string_view name, const std::vector<std::string>& raw) {
  bool exact = true;
  key(name).open_array();
  for (const std::string& word : raw) {
    const bool utf8 = is_utf8(word);
    exact = exact && utf8;
    string(utf8 ? word : to_utf8_lossy(word));
  }
  close_array();
  if (exact) return *this;
  key(std::string(name) + "_b64").open_array();
  for (const std::string& word : raw) string(base64(word));
  return close_array();
}

}  // namespace rehearse
