#include "gate/ip_range.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rehearse::gate {
namespace {

constexpr unsigned kMappedBits = 96;
constexpr unsigned kAllBits = 128;

struct Kind {
  IpBlock block;
  AddressClass kind;
};

constexpr IpBlock v4(std::array<std::uint8_t, 4> four, unsigned bits) {
  return {IpAddress::v4(four), kMappedBits + bits};
}
constexpr IpBlock v6(std::array<std::uint8_t, 16> bytes, unsigned bits) {
  return {IpAddress{bytes}, bits};
}

constexpr IpBlock kMapped = v4({0, 0, 0, 0}, 0);

/// The first that contains the address decides.
constexpr Kind kKinds[] = {
    {v4({169, 254, 169, 254}, 32), AddressClass::kMetadata},  // most clouds
    {v4({169, 254, 170, 2}, 32), AddressClass::kMetadata},    // credentials of Amazon's containers
    {v4({100, 100, 100, 200}, 32), AddressClass::kMetadata},  // Alibaba
    {v4({168, 63, 129, 16}, 32), AddressClass::kMetadata},    // Azure's host agent
    {v6({0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54}, 128), AddressClass::kMetadata},
    {v4({0, 0, 0, 0}, 8), AddressClass::kUnspecified},
    {v4({127, 0, 0, 0}, 8), AddressClass::kLoopback},
    {v4({10, 0, 0, 0}, 8), AddressClass::kPrivate},
    {v4({172, 16, 0, 0}, 12), AddressClass::kPrivate},
    {v4({192, 168, 0, 0}, 16), AddressClass::kPrivate},
    {v4({100, 64, 0, 0}, 10), AddressClass::kPrivate},
    {v4({169, 254, 0, 0}, 16), AddressClass::kLinkLocal},
    {v4({198, 18, 0, 0}, 15), AddressClass::kSynthetic},
    {v4({224, 0, 0, 0}, 4), AddressClass::kMulticast},
    {v4({240, 0, 0, 0}, 4), AddressClass::kReserved},
    {v4({192, 0, 0, 0}, 24), AddressClass::kReserved},
    {kMapped, AddressClass::kPublic},
    {v6({}, 128), AddressClass::kUnspecified},
    {v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128), AddressClass::kLoopback},
    {v6({}, 96), AddressClass::kReserved},
    {v6({0x00, 0x64, 0xff, 0x9b}, 96), AddressClass::kReserved},
    {v6({0x20, 0x02}, 16), AddressClass::kReserved},
    {v6({0xfc}, 7), AddressClass::kPrivate},
    {v6({0xfe, 0xc0}, 10), AddressClass::kPrivate},
    {v6({0xfe, 0x80}, 10), AddressClass::kLinkLocal},
    {v6({0xff}, 8), AddressClass::kMulticast},
};

/// The bits of byte `i` that a block of `bits` fixes.
constexpr unsigned mask_of(std::size_t i, unsigned bits) {
  const unsigned before = static_cast<unsigned>(i) * 8;
  if (bits >= before + 8) return 0xff;
  return bits <= before ? 0 : 0xffU << (8 - (bits - before)) & 0xffU;
}

}  // namespace

bool IpAddress::is_v4() const {
  return kMapped.contains(*this);
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, terminated.data(), four.data()) == 1) return IpAddress::v4(four);
  IpAddress six;
  if (::inet_pton(AF_INET6, terminated.data(), six.bytes.data()) == 1) return six;
  return std::nullopt;
}

std::string format_ip(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool four = address.is_v4();
  ::inet_ntop(four ? AF_INET : AF_INET6, address.bytes.data() + (four ? 12 : 0), text.data(), text.size());
  return text.data();
}

std::optional<IpBlock> IpBlock::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpBlock(*address, kAllBits);
  const std::string_view number = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
  // What is written with colons counts its own 128 bits, mapped or not.
  const bool dotted = text.substr(0, slash).find(':') == std::string_view::npos;
  if (error != std::errc() || end != number.data() + number.size() || bits > (dotted ? 32U : kAllBits))
    return std::nullopt;
  return IpBlock(*address, dotted ? bits + kMappedBits : bits);
}

bool IpBlock::contains(const IpAddress& address) const {
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    if (((address_.bytes[i] ^ address.bytes[i]) & mask_of(i, bits_)) != 0) return false;
  }
  return true;
}

IpAddress IpBlock::lowest() const {
  IpAddress result = address_;
  for (std::size_t i = 0; i < result.bytes.size(); ++i)
    result.bytes[i] = static_cast<std::uint8_t>(result.bytes[i] & mask_of(i, bits_));
  return result;
}

IpAddress IpBlock::highest() const {
  IpAddress result = lowest();
  for (std::size_t i = 0; i < result.bytes.size(); ++i)
    result.bytes[i] = static_cast<std::uint8_t>(result.bytes[i] | (~mask_of(i, bits_) & 0xffU));
  return result;
}

std::string format_ip(const IpBlock& block) {
  std::string address = format_ip(block.address());
  if (block.bits() == kAllBits) return address;
  const bool four = block.address().is_v4() && block.bits() >= kMappedBits;
  return fmt::format("{}/{}", address, four ? block.bits() - kMappedBits : block.bits());
}

AddressClass classify(const IpAddress& address) {
  const auto* const found =
      std::ranges::find_if(kKinds, [&](const Kind& kind) { return kind.block.contains(address); });
  return found == std::end(kKinds) ? AddressClass::kPublic : found->kind;
}

std::string_view to_string(AddressClass value) {
  switch (value) {
    case AddressClass::kPublic:
      return "public";
    case AddressClass::kUnspecified:
      return "unspecified";
    case AddressClass::kLoopback:
      return "loopback";
    case AddressClass::kPrivate:
      return "private";
    case AddressClass::kLinkLocal:
      return "link-local";
    case AddressClass::kMetadata:
      return "cloud metadata";
    case AddressClass::kMulticast:
      return "multicast";
    case AddressClass::kSynthetic:
      return "synthetic";
    case AddressClass::kReserved:
      return "reserved";
  }
  return "unknown";
}

}  // namespace rehearse::gate
