#include "gate/datagram_mock.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "base/star_pattern.h"

namespace rehearse::gate {
namespace {

constexpr const char* kExample = "write pairs of hexadecimal digits: 1b 00 ff";

tl::unexpected<Error> wrong(std::string_view what, const char* fix) {
  return fail(fmt::format("\"{}\" cannot be read", what), ExitCode::kConfig, fix);
}

std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

/// The byte that the first two characters say.
std::optional<std::uint8_t> byte_at(std::string_view text) {
  const auto high = text.empty() ? std::nullopt : digit(text[0]);
  const auto low = text.size() < 2 ? std::nullopt : digit(text[1]);
  if (!high || !low) return std::nullopt;
  return static_cast<std::uint8_t>(*high << 4U | *low);
}

bool skip_blank(std::string_view& text) {
  if (text.empty() || (text.front() != ' ' && text.front() != '\t')) return false;
  text.remove_prefix(1);
  return true;
}

bool matches(const HexPattern& pattern, std::string_view datagram) {
  if (datagram.size() < pattern.bytes.size()) return false;
  if (!pattern.open && datagram.size() != pattern.bytes.size()) return false;
  for (std::size_t i = 0; i < pattern.bytes.size(); ++i) {
    if (pattern.bytes[i] && *pattern.bytes[i] != static_cast<std::uint8_t>(datagram[i])) return false;
  }
  return true;
}

std::string_view without_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// "40:8" of "{40:8}".
std::optional<CopiedBytes> parse_copy(std::string_view text) {
  CopiedBytes copied;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, copied.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto count = std::from_chars(first.ptr + 1, end, copied.count);
  if (count.ec != std::errc() || count.ptr != end || copied.count == 0) return std::nullopt;
  if (copied.first > kLargestDatagram || copied.count > kLargestDatagram) return std::nullopt;
  return copied;
}

}  // namespace

Result<HexPattern> parse_hex_pattern(std::string_view text) {
  HexPattern pattern;
  while (!text.empty()) {
    if (skip_blank(text)) continue;
    if (pattern.open) return wrong(text, "the star stands at the end");
    if (text.front() == '*') {
      pattern.open = true;
      text.remove_prefix(1);
      continue;
    }
    const bool any = text.starts_with("??");
    const auto byte = byte_at(text);
    if (!any && !byte)
      return wrong(text.substr(0, 8), "write pairs of hexadecimal digits, ?? for any byte, and * at the end");
    pattern.bytes.push_back(any ? std::nullopt : byte);
    text.remove_prefix(2);
  }
  return pattern;
}

Result<std::vector<std::variant<std::string, CopiedBytes>>> parse_hex_reply(std::string_view text) {
  std::vector<std::variant<std::string, CopiedBytes>> reply;
  std::size_t size = 0;
  while (!text.empty()) {
    if (skip_blank(text)) continue;
    if (text.front() == '{') {
      const std::size_t end = text.find('}');
      const auto copied = end == std::string_view::npos ? std::nullopt : parse_copy(text.substr(1, end - 1));
      if (!copied)
        return wrong(text.substr(0, 16), "write {40:8} for 8 bytes of the request from its byte 40 on");
      size += copied->count;
      reply.emplace_back(*copied);
      text.remove_prefix(end + 1);
    } else {
      const auto byte = byte_at(text);
      if (!byte) return wrong(text.substr(0, 8), kExample);
      if (reply.empty() || !std::holds_alternative<std::string>(reply.back()))
        reply.emplace_back(std::string());
      std::get<std::string>(reply.back()) += static_cast<char>(*byte);
      ++size;
      text.remove_prefix(2);
    }
    if (size > kLargestDatagram)
      return fail("the reply is longer than a datagram can be", ExitCode::kConfig, "65507 bytes at most");
  }
  return reply;
}

const DatagramRoute* find_route(const DatagramMock& mock, std::string_view datagram) {
  const auto found = std::ranges::find_if(mock.routes, [datagram](const DatagramRoute& route) {
    if (const auto* line = std::get_if<std::string>(&route.expect))
      return star_matches(*line, without_end(datagram), Star::kTakesAll);
    const auto* bytes = std::get_if<HexPattern>(&route.expect);
    return bytes == nullptr || matches(*bytes, datagram);
  });
  return found == mock.routes.end() ? nullptr : &*found;
}

std::string make_reply(const DatagramRoute& route, std::string_view datagram) {
  std::string reply;
  for (const auto& piece : route.reply) {
    if (const auto* bytes = std::get_if<std::string>(&piece)) {
      reply += *bytes;
      continue;
    }
    const auto& copied = std::get<CopiedBytes>(piece);
    const std::string_view there = datagram.substr(std::min(copied.first, datagram.size()), copied.count);
    reply += there;
    reply.append(copied.count - there.size(), '\0');
  }
  reply.resize(std::min(reply.size(), kLargestDatagram));
  return reply;
}

}  // namespace rehearse::gate
