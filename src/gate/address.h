// What kind of place an address is: what rules by name must not be led to, and what the report says.
#pragma once

#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace rehearse::gate {

/// Addresses that stand for names within a run. Both blocks are set aside for benchmarks (RFC 2544, RFC
/// 5180), so that no host of anybody's network has one.
inline constexpr IpBlock kSyntheticV4(IpAddress::v4({198, 18, 0, 0}), 96 + 15);
inline constexpr IpBlock kSyntheticV6(IpAddress{{0x20, 0x01, 0x00, 0x02}}, 48);

inline constexpr IpAddress kLoopbackV4 = IpAddress::v4({127, 0, 0, 1});
inline constexpr IpAddress kLoopbackV6 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/// By the registries of special-purpose addresses (RFC 6890 and its updates).
enum class AddressClass {
  kPublic,
  kUnspecified,  ///< 0.0.0.0/8, ::
  kLoopback,     ///< 127.0.0.0/8, ::1
  kPrivate,      ///< RFC 1918, RFC 6598 (shared by a provider's customers), fc00::/7, fec0::/10
  kLinkLocal,    ///< 169.254.0.0/16, fe80::/10
  kMetadata,     ///< where a cloud's hosts ask for their own identity and credentials
  kMulticast,    ///< 224.0.0.0/4, ff00::/8
  kSynthetic,    ///< kSyntheticV4, kSyntheticV6
  kReserved,     ///< 240.0.0.0/4 with the broadcast address, documentation, protocol assignments
};

/// An IPv6 address that a translator or tunnel turns into an IPv4 one (64:ff9b::/96 of RFC 6052, 2002::/16
/// of RFC 3056, the deprecated ::/96) is of the class of that one: it leads to the same place.
AddressClass classify(const IpAddress& address);

/// All that classify() knows, as one list: the first block that an address is in says its class, and one that
/// is in none is public.
struct AddressPlace {
  IpBlock block;
  AddressClass kind;
};
const std::vector<AddressPlace>& address_places();

/// Where a socket that is connected to one of these asks this machine: 127.0.0.0/8, ::1, and 0.0.0.0 and ::,
/// which mean the same to connect(2).
inline constexpr IpBlock kThisHost[] = {{IpAddress::v4({127, 0, 0, 0}), 96 + 8},
                                        {kLoopbackV6, 128},
                                        {IpAddress::v4({0, 0, 0, 0}), 128},
                                        {IpAddress{}, 128}};
bool is_this_host(const IpAddress& address);

/// One of the two blocks, whether or not it stands for a name yet.
inline bool is_synthetic(const IpAddress& address) {
  return kSyntheticV4.contains(address) || kSyntheticV6.contains(address);
}

/// One word or two, as the report has it: "link-local".
std::string_view to_string(AddressClass value);

}  // namespace rehearse::gate
