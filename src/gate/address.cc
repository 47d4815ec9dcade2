#include "gate/address.h"

#include <algorithm>
#include <optional>

namespace rehearse::gate {
namespace {

constexpr unsigned kMappedBits = 96;  // before the four bytes of IPv4

constexpr AddressPlace v4(std::array<std::uint8_t, 4> bytes, unsigned bits, AddressClass value) {
  return {IpBlock(IpAddress::v4(bytes), kMappedBits + bits), value};
}
constexpr AddressPlace v6(std::array<std::uint8_t, 16> bytes, unsigned bits, AddressClass value) {
  return {IpBlock(IpAddress{bytes}, bits), value};
}

/// The first that contains an address decides.
constexpr AddressPlace kRanges[] = {
    v4({169, 254, 169, 254}, 32, AddressClass::kMetadata),   // AWS, Azure, Google, OpenStack, Oracle
    v4({169, 254, 169, 253}, 32, AddressClass::kMetadata),   // AWS: resolver
    v4({169, 254, 169, 123}, 32, AddressClass::kMetadata),   // AWS: time
    v4({169, 254, 170, 0}, 24, AddressClass::kMetadata),     // AWS: credentials of containers
    v4({168, 63, 129, 16}, 32, AddressClass::kMetadata),     // Azure: host agent
    v4({100, 100, 100, 200}, 32, AddressClass::kMetadata),   // Alibaba
    v4({192, 0, 0, 192}, 32, AddressClass::kMetadata),       // Oracle, classic
    v6({0xfd, 0, 0x0e, 0xc2}, 32, AddressClass::kMetadata),  // AWS: fd00:ec2::254 and its neighbours
    v6({0xfd, 0x20, 0, 0xce}, 32, AddressClass::kMetadata),  // Google: fd20:ce::254
    v4({0, 0, 0, 0}, 8, AddressClass::kUnspecified),
    v4({10, 0, 0, 0}, 8, AddressClass::kPrivate),
    v4({100, 64, 0, 0}, 10, AddressClass::kPrivate),
    v4({127, 0, 0, 0}, 8, AddressClass::kLoopback),
    v4({169, 254, 0, 0}, 16, AddressClass::kLinkLocal),
    v4({172, 16, 0, 0}, 12, AddressClass::kPrivate),
    v4({192, 0, 0, 0}, 24, AddressClass::kReserved),
    v4({192, 0, 2, 0}, 24, AddressClass::kReserved),
    v4({192, 168, 0, 0}, 16, AddressClass::kPrivate),
    {kSyntheticV4, AddressClass::kSynthetic},
    v4({198, 51, 100, 0}, 24, AddressClass::kReserved),
    v4({203, 0, 113, 0}, 24, AddressClass::kReserved),
    v4({224, 0, 0, 0}, 4, AddressClass::kMulticast),
    v4({240, 0, 0, 0}, 4, AddressClass::kReserved),
    v6({}, 128, AddressClass::kUnspecified),
    v6(kLoopbackV6.bytes, 128, AddressClass::kLoopback),
    {kSyntheticV6, AddressClass::kSynthetic},
    v6({0, 0x64, 0xff, 0x9b, 0, 1}, 48, AddressClass::kReserved),  // RFC 8215: translation, locally
    v6({0x01, 0x00}, 64, AddressClass::kReserved),                 // RFC 6666: discard
    v6({0x20, 0x01, 0x0d, 0xb8}, 32, AddressClass::kReserved),     // documentation
    v6({0x3f, 0xff}, 20, AddressClass::kReserved),                 // documentation (RFC 9637)
    v6({0x20, 0x01}, 23, AddressClass::kReserved),                 // protocols, Teredo among them
    v6({0xfc, 0}, 7, AddressClass::kPrivate),
    v6({0xfe, 0x80}, 10, AddressClass::kLinkLocal),
    v6({0xfe, 0xc0}, 10, AddressClass::kPrivate),
    v6({0xff, 0}, 8, AddressClass::kMulticast),
};

constexpr IpBlock kNat64(IpAddress{{0x00, 0x64, 0xff, 0x9b}}, 96);
constexpr IpBlock k6to4(IpAddress{{0x20, 0x02}}, 16);
constexpr IpBlock kCompatible(IpAddress{}, 96);
constexpr IpBlock kTranslated(IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
                              96);  // RFC 2765: ::ffff:0:a.b.c.d

/// The IPv4 address that packets to this one end at.
std::optional<IpAddress> embedded_v4(const IpAddress& address) {
  const auto& bytes = address.bytes;
  if (k6to4.contains(address)) return IpAddress::v4({bytes[2], bytes[3], bytes[4], bytes[5]});
  if (kNat64.contains(address) || kCompatible.contains(address) || kTranslated.contains(address))
    return IpAddress::v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  return std::nullopt;
}

AddressClass by_range(const IpAddress& address) {
  const auto* const found =
      std::ranges::find_if(kRanges, [&](const AddressPlace& range) { return range.block.contains(address); });
  return found == std::end(kRanges) ? AddressClass::kPublic : found->kind;
}

}  // namespace

AddressClass classify(const IpAddress& address) {
  const AddressClass own = by_range(address);
  if (own != AddressClass::kPublic) return own;
  const auto embedded = embedded_v4(address);
  return embedded ? by_range(*embedded) : own;
}

const std::vector<AddressPlace>& address_places() {
  static const std::vector<AddressPlace> kPlaces = [] {
    std::vector<AddressPlace> places(std::begin(kRanges), std::end(kRanges));
    for (const AddressPlace& range : kRanges) {
      if (!range.block.address().is_v4()) continue;
      for (const IpBlock& way : {k6to4, kNat64, kCompatible, kTranslated}) {
        IpAddress address = way.address();
        std::copy(range.block.address().bytes.begin() + kMappedBits / 8, range.block.address().bytes.end(),
                  address.bytes.begin() + way.bits() / 8);
        places.push_back({IpBlock(address, way.bits() + range.block.bits() - kMappedBits), range.kind});
      }
    }
    return places;
  }();
  return kPlaces;
}

bool is_this_host(const IpAddress& address) {
  return std::ranges::any_of(kThisHost, [&](const IpBlock& block) { return block.contains(address); });
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
      return "metadata";
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
