// What a mock of UDP answers: each datagram by itself, by the first route that fits. Values and pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace rehearse::gate {

/// Bytes, some of which may be any: "1b ?? 00 *".
struct HexPattern {
  std::vector<std::optional<std::uint8_t>> bytes;  ///< absent: any
  bool open = false;                               ///< more may follow
};

/// Bytes of the request that a reply repeats: NTP's clients want their own time back.
struct CopiedBytes {
  std::size_t first = 0;
  std::size_t count = 0;
};

struct DatagramRoute {
  /// A text pattern (star_pattern.h, the star takes all) that the datagram without its line's end is; absent:
  /// any datagram fits.
  std::variant<std::monostate, std::string, HexPattern> expect;
  std::vector<std::variant<std::string, CopiedBytes>> reply;
  bool replies = false;  ///< else nothing is sent back
};

struct DatagramMock {
  std::vector<DatagramRoute> routes;
};

inline constexpr std::size_t kLargestDatagram = 65507;  ///< of UDP over IPv4

/// "1b", "1b ?? 00 *"; blanks may stand between bytes. kConfig: names what cannot be read.
Result<HexPattern> parse_hex_pattern(std::string_view text);
/// "1c 01 {40:8} 00": bytes, and in braces those of the request from the first, so many.
Result<std::vector<std::variant<std::string, CopiedBytes>>> parse_hex_reply(std::string_view text);

/// Null if none fits.
const DatagramRoute* find_route(const DatagramMock& mock, std::string_view datagram);
/// What is sent back; bytes that the request has not got are 0. At most kLargestDatagram.
std::string make_reply(const DatagramRoute& route, std::string_view datagram);

}  // namespace rehearse::gate
