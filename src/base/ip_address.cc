#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rehearse {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// The bits of byte `i` that a block of `bits` fixes.
std::uint8_t fixed_bits(std::size_t i, unsigned bits) {
  const unsigned before = static_cast<unsigned>(i) * 8;
  if (bits <= before) return 0;
  return bits >= before + 8 ? std::uint8_t{0xff} : static_cast<std::uint8_t>(0xff00U >> (bits - before));
}

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
  if (!address.is_v4()) {
    const char* const text = ::inet_ntop(AF_INET6, address.bytes.data(), buffer.data(), INET6_ADDRSTRLEN);
    return text == nullptr ? std::string_view() : std::string_view(text);
  }
  char* end = buffer.data();
  for (std::size_t i = kMapped.size(); i < address.bytes.size(); ++i) {
    if (i > kMapped.size()) *end++ = '.';
    end = std::to_chars(end, buffer.data() + buffer.size(), address.bytes[i]).ptr;
  }
  return {buffer.data(), end};
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
  // ::ffff:0:0/90 would be some of IPv4 and some of IPv6.
  if (!four && address->is_v4() && bits < 96) return std::nullopt;
  return IpBlock(*address, bits + (four ? 96 : 0));
}

bool IpBlock::contains(const IpAddress& address) const {
  // ::/0 is all of IPv6 and nothing of IPv4.
  if (address.is_v4() != address_.is_v4()) return false;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    if (((address.bytes[i] ^ address_.bytes[i]) & fixed_bits(i, bits_)) != 0) return false;
  }
  return true;
}

IpAddress IpBlock::lowest() const {
  IpAddress result = address_;
  for (std::size_t i = 0; i < result.bytes.size(); ++i)
    result.bytes[i] = static_cast<std::uint8_t>(result.bytes[i] & fixed_bits(i, bits_));
  return result;
}

IpAddress IpBlock::highest() const {
  IpAddress result = lowest();
  for (std::size_t i = 0; i < result.bytes.size(); ++i)
    result.bytes[i] = static_cast<std::uint8_t>(result.bytes[i] | (~fixed_bits(i, bits_) & 0xffU));
  return result;
}

std::string format_ip(const IpBlock& block) {
  std::string text = format_ip(block.address());
  if (block.bits() == 128) return text;
  return text + '/' + std::to_string(block.address().is_v4() ? block.bits() - 96 : block.bits());
}

}  // namespace rehearse
