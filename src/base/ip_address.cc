#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rehearse {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool IpAddress::is_v4() const {
  return std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
  if (text.size() >= terminated.size() || text.contains('\0')) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, terminated.data(), four.data()) == 1) return IpAddress::v4(four);
  IpAddress address;
  if (::inet_pton(AF_INET6, terminated.data(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string_view format_ip(const IpAddress& address, std::span<char, 46> buffer) {
  const bool four = address.is_v4();
  const void* const bytes = address.bytes.data() + (four ? kMapped.size() : 0);
  const char* const text =
      ::inet_ntop(four ? AF_INET : AF_INET6, bytes, buffer.data(), static_cast<socklen_t>(buffer.size()));
  return text == nullptr ? std::string_view() : std::string_view(text);
}

std::string format_ip(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  return std::string(format_ip(address, buffer));
}

std::optional<IpBlock> IpBlock::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  const bool four = address->is_v4() && !text.substr(0, slash).contains(':');
  const unsigned most = four ? 32 : 128;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (error != std::errc() || end != length.data() + length.size() || bits > most) return std::nullopt;
  }
  return IpBlock(*address, bits + (four ? 96 : 0));
}

bool IpBlock::contains(const IpAddress& address) const {
  // ::/0 is all of IPv6 and nothing of IPv4.
  if (address.is_v4() != address_.is_v4()) return false;
  const std::size_t whole = bits_ / 8;
  if (std::memcmp(address.bytes.data(), address_.bytes.data(), whole) != 0) return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  return ((address.bytes[whole] ^ address_.bytes[whole]) & (0xff00U >> rest) & 0xffU) == 0;
}

}  // namespace rehearse
